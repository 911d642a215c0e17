using System.Globalization;
using Npgsql;

namespace DbSync.Benchmarks.Replication;

/// <summary>PostgreSQL's own subscription in the second cluster, the peer of every figure.</summary>
internal sealed class NativeSubscription(Clusters clusters, string database, CancellationToken cancellationToken) : IAsyncDisposable
{
    public const string Publication = "native";

    private string Name => "native_" + database;

    public string ConnectionString => clusters.Subscriber.ConnectionStringFor(database);

    /// <summary>Subscribes, and returns once every table is synchronised.</summary>
    public async Task SubscribeAsync()
    {
        await Clusters.RunAsync(
            ConnectionString,
            $"CREATE SUBSCRIPTION {Name} CONNECTION '{clusters.SubscriptionTarget(database)}' PUBLICATION {Publication} WITH (synchronous_commit = off)",
            cancellationToken);
        await using var connection = await Clusters.OpenAsync(ConnectionString, cancellationToken);
        await using var command = new NpgsqlCommand("SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel", connection);
        await Poll.UntilAsync(() => command.ExecuteScalar() is true, cancellationToken);
    }

    public Task UnsubscribeAsync() => Clusters.RunAsync(ConnectionString, $"DROP SUBSCRIPTION {Name}", cancellationToken);

    public Task EnableAsync() => Clusters.RunAsync(ConnectionString, $"ALTER SUBSCRIPTION {Name} ENABLE", cancellationToken);

    /// <summary>Disables it, and returns once its worker and its walsender are gone.</summary>
    public async Task DisableAsync()
    {
        await Clusters.RunAsync(ConnectionString, $"ALTER SUBSCRIPTION {Name} DISABLE", cancellationToken);
        await using var connection = await Clusters.OpenAsync(clusters.Primary.ConnectionString, cancellationToken);
        await using var command = new NpgsqlCommand($"SELECT active FROM pg_replication_slots WHERE slot_name = '{Name}'", connection);
        await Poll.UntilAsync(() => command.ExecuteScalar() is false, cancellationToken);
    }

    /// <summary>Returns once a row is visible in another connection.</summary>
    public async Task UntilVisibleAsync(string table, long id)
    {
        await using var connection = await Clusters.OpenAsync(ConnectionString, cancellationToken);
        await using var command = new NpgsqlCommand(
            string.Create(CultureInfo.InvariantCulture, $"SELECT 1 FROM {table} WHERE id = {id}"), connection);
        await Poll.UntilAsync(() => command.ExecuteScalar() is not null, cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        if (await Clusters.ScalarAsync<object>(ConnectionString, $"SELECT 1 FROM pg_subscription WHERE subname = '{Name}'", CancellationToken.None) is not null)
            await Clusters.RunAsync(ConnectionString, $"DROP SUBSCRIPTION {Name}", CancellationToken.None);
    }
}
