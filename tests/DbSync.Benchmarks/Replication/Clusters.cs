using System.Globalization;
using DbSync.Testing;
using Npgsql;

namespace DbSync.Benchmarks.Replication;

/// <summary>A primary and, for PostgreSQL's own replication, a second cluster with the same settings.</summary>
internal sealed class Clusters : IAsyncDisposable
{
    /// <summary>Besides PostgreSQL's defaults: nothing may stop for a checkpoint in the middle of a measurement.</summary>
    private static readonly Dictionary<string, string> Settings = new(StringComparer.Ordinal)
    {
        ["shared_buffers"] = "512MB",
        ["max_wal_size"] = "16GB",
        ["checkpoint_timeout"] = "1h",
        ["autovacuum"] = "off",
        ["jit"] = "off",
        ["wal_retrieve_retry_interval"] = "100ms", // by default a subscription enabled again within 5 s of its last start waits for the rest
    };

    private Clusters(PostgresServer primary, PostgresServer subscriber) => (Primary, Subscriber) = (primary, subscriber);

    public PostgresServer Primary { get; }

    public PostgresServer Subscriber { get; }

    public static string Described => "fsync on, full_page_writes on, " + string.Join(", ", Settings.Select(s => $"{s.Key} {s.Value}"));

    public static async Task<Clusters> StartAsync(CancellationToken cancellationToken)
    {
        var options = new PostgresServerOptions { Fsync = true, Settings = Settings };
        var primary = await PostgresServer.StartAsync(options, cancellationToken);
        try
        {
            return new Clusters(primary, await PostgresServer.StartAsync(options, cancellationToken));
        }
        catch
        {
            await primary.DisposeAsync();
            throw;
        }
    }

    /// <summary>Makes a database of the same name and schema on both.</summary>
    public async Task CreateDatabaseAsync(string name, string schema, CancellationToken cancellationToken)
    {
        foreach (var server in new[] { Primary, Subscriber })
        {
            await server.CreateDatabaseAsync(name, cancellationToken);
            await RunAsync(server.ConnectionStringFor(name), schema, cancellationToken);
        }
    }

    /// <summary>The primary's database as a subscription names it.</summary>
    public string SubscriptionTarget(string database) =>
        string.Create(CultureInfo.InvariantCulture, $"host=127.0.0.1 port={Primary.Port} dbname={database} user=postgres");

    /// <summary>Waits until the disk has taken all that was written before, so that no side is measured while it still pays for the other.</summary>
    public async Task SettleAsync(CancellationToken cancellationToken)
    {
        foreach (var server in new[] { Primary, Subscriber }) await RunAsync(server.ConnectionStringFor("postgres"), "CHECKPOINT", cancellationToken);
        await ProcessRunner.RunCheckedAsync("sync", [], cancellationToken: cancellationToken);
    }

    public static async Task RunAsync(string connectionString, string sql, CancellationToken cancellationToken)
    {
        await using var connection = await OpenAsync(connectionString, cancellationToken);
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    public static async Task<T?> ScalarAsync<T>(string connectionString, string sql, CancellationToken cancellationToken)
    {
        await using var connection = await OpenAsync(connectionString, cancellationToken);
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        return await command.ExecuteScalarAsync(cancellationToken) is T value ? value : default;
    }

    public static async Task<NpgsqlConnection> OpenAsync(string connectionString, CancellationToken cancellationToken)
    {
        var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(cancellationToken);
        return connection;
    }

    public async ValueTask DisposeAsync()
    {
        NpgsqlConnection.ClearAllPools();
        await Subscriber.DisposeAsync();
        await Primary.DisposeAsync();
    }
}
