using DbSync.Locking;
using DbSync.Postgres.Locking;
using DbSync.Redis;
using Npgsql;
using StackExchange.Redis;

namespace DbSync.Cli.Locks;

/// <summary>The lock server as an operator sees it. Takes no locks itself; only resetting needs the primary too.</summary>
internal sealed class LockServer : IAsyncDisposable
{
    private readonly IConnectionMultiplexer _redis;
    private readonly NpgsqlDataSource? _primary;
    private readonly RedisRangeLockManager _locks;

    private LockServer(IConnectionMultiplexer redis, NpgsqlDataSource? primary, string? prefix)
    {
        (_redis, _primary) = (redis, primary);
        IEpochStore epochs = primary is null ? new InMemoryEpochStore() : new PostgresEpochStore(primary);
        _locks = new RedisRangeLockManager(redis, epochs, prefix is null ? null : new RedisRangeLockOptions { Prefix = prefix });
    }

    public IRangeLockInspector Inspector => _locks.Inspector;

    /// <exception cref="DbSyncException">DBS1001: no Redis is named; DBS6005: it can't be reached.</exception>
    public static async Task<LockServer> OpenAsync(ToolSettings settings, string? prefix, bool withPrimary, CancellationToken cancellationToken)
    {
        var configuration = settings.Redis ?? throw new DbSyncException(
            ErrorCodes.InvalidOption, "No Redis is named.", $"Give --redis, set DBSYNC_REDIS, or write \"redis\" into {ToolSettings.FileName}.");
        var primary = withPrimary ? NpgsqlDataSource.Create(settings.Primary) : null;
        return new LockServer(await RedisConnection.ConnectAsync(configuration, cancellationToken), primary, prefix);
    }

    /// <summary>The resources that have ever been locked, or the one that is named.</summary>
    public async Task<IReadOnlyList<LockSnapshot>> LookAsync(string? resource, CancellationToken cancellationToken)
    {
        IReadOnlyList<LockResource> resources = resource is null ? await Inspector.ListResourcesAsync(cancellationToken) : [resource];
        var snapshots = new List<LockSnapshot>(resources.Count);
        foreach (var one in resources) snapshots.Add(await Inspector.SnapshotAsync(one, cancellationToken));
        return snapshots;
    }

    /// <summary>Raises the epoch, tells the holders, and takes what older epochs left out of the fence; the new epoch and the rows removed.</summary>
    public async Task<(long Epoch, long Removed)> ResetAsync(LockResource resource, CancellationToken cancellationToken)
    {
        var epoch = await Inspector.ResetAsync(resource, cancellationToken);
        return (epoch, await new PostgresFence(_primary!).PruneAsync(resource, cancellationToken));
    }

    public async ValueTask DisposeAsync()
    {
        await _locks.DisposeAsync();
        await _redis.DisposeAsync();
        if (_primary is not null) await _primary.DisposeAsync();
    }
}
