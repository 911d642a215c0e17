using DbSync.Postgres;
using Microsoft.Extensions.Options;
using Npgsql;

namespace DbSync.Hosting;

/// <summary>One message per rule, each naming the key.</summary>
internal sealed class DbSyncOptionsValidator : IValidateOptions<DbSyncOptions>
{
    public ValidateOptionsResult Validate(string? name, DbSyncOptions options)
    {
        var failures = Failures(options).ToList();
        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }

    private static IEnumerable<string> Failures(DbSyncOptions options)
    {
        if (string.IsNullOrWhiteSpace(options.DataDirectory))
            yield return Of(nameof(options.DataDirectory), "name the directory in which the replica lives; one for each node, on a local disk");
        else if (File.Exists(options.DataDirectory)) yield return Of(nameof(options.DataDirectory), "is a file, not a directory");
        if (options.RunEngine && string.IsNullOrWhiteSpace(options.Primary))
            yield return Of(nameof(options.Primary), "give the primary's connection string, or switch RunEngine off where 'dbsync run' keeps the replica");
        else if (options.Primary is { Length: > 0 } primary && !IsConnectionString(primary))
            yield return Of(nameof(options.Primary), "is no connection string that Npgsql understands");
        if (!ReplicaNames.IsValid(options.Replica)) yield return Of(nameof(options.Replica), $"takes {ReplicaNames.Rule}");
        if (options.Node is { } node && !ReplicaNames.IsValid(node)) yield return Of(nameof(options.Node), $"takes {ReplicaNames.Rule}");
        if (options.Tables.Count > 0 && !options.AllowSetup) yield return Of(nameof(options.Tables), "has an effect with AllowSetup only; without it, name tables to 'dbsync init --tables'");
        if (options.Tables.Any(string.IsNullOrWhiteSpace)) yield return Of(nameof(options.Tables), "holds an empty name");
        if ((options.Shards is not null || options.ShardKeys.Count > 0) && !options.AllowSetup)
            yield return Of(options.Shards is null ? nameof(options.ShardKeys) : nameof(options.Shards), "has an effect with AllowSetup only; without it, shard the replica with 'dbsync init --shards'");
        else if (!IsSharding(options.Shards, null)) yield return Of(nameof(options.Shards), "takes a number, or names with weights: a:1,b:2");
        else if (!IsSharding(null, EngineSetup.KeysOf(options))) yield return Of(nameof(options.ShardKeys), "takes a column for each table, or several with + between");
        if (options.SpillBytesMax <= 0) yield return Of(nameof(options.SpillBytesMax), Positive);
        if (options.RetryDelay <= TimeSpan.Zero) yield return Of(nameof(options.RetryDelay), Positive);
        if (options.RetryDelayMax < options.RetryDelay) yield return Of(nameof(options.RetryDelayMax), "must not be less than RetryDelay");
        if (options.TakeOverInterval <= TimeSpan.Zero) yield return Of(nameof(options.TakeOverInterval), Positive);
        if (options.LagMax <= TimeSpan.Zero) yield return Of(nameof(options.LagMax), Positive);
        if (options.StallAfter < TimeSpan.FromSeconds(2)) yield return Of(nameof(options.StallAfter), "must be 2 s at least: the engine gives a sign of life every half second");
    }

    private const string Positive = "must be more than zero";

    private static string Of(string key, string rule) => $"{DbSyncOptions.SectionName}:{key} {rule}.";

    private static bool IsSharding(string? shards, string? keys)
    {
        try
        {
            _ = ShardingArguments.Parse(shards, keys, null, copies: 1);
            return true;
        }
        catch (DbSyncException)
        {
            return false;
        }
    }

    private static bool IsConnectionString(string text)
    {
        try
        {
            return new NpgsqlConnectionStringBuilder(text).Count > 0;
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException or InvalidCastException or OverflowException)
        {
            return false;
        }
    }
}
