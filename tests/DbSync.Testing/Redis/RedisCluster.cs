using System.Globalization;

namespace DbSync.Testing;

/// <summary>A real Redis Cluster: three primaries on 127.0.0.1, and one replica of the first.</summary>
public sealed class RedisCluster : IAsyncDisposable
{
    private const int Slots = 16_384;
    private const int PrimaryCount = 3;

    private readonly List<RedisServer> _servers = [];

    /// <summary>The three that began as primaries.</summary>
    public IReadOnlyList<RedisServer> Primaries => [.. _servers.Take(PrimaryCount)];

    /// <summary>The replica of the first primary.</summary>
    public RedisServer Replica => _servers[PrimaryCount];

    public string ConnectionString => string.Join(',', _servers.Select(server => $"127.0.0.1:{server.Port}")) + ",allowAdmin=true";

    public static async Task<RedisCluster> StartAsync(CancellationToken cancellationToken)
    {
        var cluster = new RedisCluster();
        try
        {
            for (var i = 0; i <= PrimaryCount; i++)
                cluster._servers.Add(await RedisServer.StartAsync(
                    new RedisServerOptions
                    {
                        Settings = new Dictionary<string, string>(StringComparer.Ordinal)
                        {
                            ["cluster-enabled"] = "yes",
                            ["cluster-port"] = FreePort.Next().ToString(CultureInfo.InvariantCulture),
                            ["cluster-node-timeout"] = "1000",
                            ["cluster-require-full-coverage"] = "no",
                            ["repl-diskless-sync-delay"] = "0",
                        },
                    },
                    cancellationToken).ConfigureAwait(false));
            await cluster.FormAsync(cancellationToken).ConfigureAwait(false);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Which primary serves the key, as the cluster itself says.</summary>
    public async Task<(RedisServer Owner, int Slot)> OwnerOfAsync(string key)
    {
        var slot = (int)await _servers[0].ExecuteAsync("CLUSTER", "KEYSLOT", key).ConfigureAwait(false);
        foreach (var part in (StackExchange.Redis.RedisResult[])(await _servers[0].ExecuteAsync("CLUSTER", "SLOTS").ConfigureAwait(false))!)
            if ((int)part[0] <= slot && slot <= (int)part[1])
                return (_servers.Single(server => server.Port == (int)part[2][1]), slot);
        throw new InvalidOperationException("Nobody serves the key.");
    }

    /// <summary>Moves a slot and its keys from one primary to another, as <c>redis-cli --cluster reshard</c> does.</summary>
    public async Task MoveAsync(int slot, RedisServer from, RedisServer to)
    {
        var (source, target) = (await IdOfAsync(from).ConfigureAwait(false), await IdOfAsync(to).ConfigureAwait(false));
        await to.ExecuteAsync("CLUSTER", "SETSLOT", slot, "IMPORTING", source).ConfigureAwait(false);
        await from.ExecuteAsync("CLUSTER", "SETSLOT", slot, "MIGRATING", target).ConfigureAwait(false);
        while ((string[])(await from.ExecuteAsync("CLUSTER", "GETKEYSINSLOT", slot, 100).ConfigureAwait(false))! is { Length: > 0 } keys)
            await from.ExecuteAsync("MIGRATE", ["127.0.0.1", to.Port, "", 0, 5_000, "REPLACE", "KEYS", .. keys]).ConfigureAwait(false);
        foreach (var server in Primaries.OrderBy(server => server == to ? 0 : 1))
            await server.ExecuteAsync("CLUSTER", "SETSLOT", slot, "NODE", target).ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var server in _servers) await server.DisposeAsync().ConfigureAwait(false);
    }

    private static async Task<string> IdOfAsync(RedisServer server) => (string)(await server.ExecuteAsync("CLUSTER", "MYID").ConfigureAwait(false))!;

    private async Task FormAsync(CancellationToken cancellationToken)
    {
        for (var i = 0; i < PrimaryCount; i++)
            await _servers[i].ExecuteAsync("CLUSTER", "ADDSLOTSRANGE", i * Slots / PrimaryCount, ((i + 1) * Slots / PrimaryCount) - 1).ConfigureAwait(false);
        for (var i = 0; i < _servers.Count; i++) await _servers[i].ExecuteAsync("CLUSTER", "SET-CONFIG-EPOCH", i + 1).ConfigureAwait(false);
        foreach (var server in _servers.Skip(1))
            await server.ExecuteAsync("CLUSTER", "MEET", "127.0.0.1", _servers[0].Port, await BusOfAsync(_servers[0]).ConfigureAwait(false)).ConfigureAwait(false);
        await EveryoneSays(info => info.Contains("cluster_state:ok", StringComparison.Ordinal) && info.Contains("cluster_known_nodes:4", StringComparison.Ordinal)).ConfigureAwait(false);
        var first = await IdOfAsync(_servers[0]).ConfigureAwait(false);
        await Eventually.Async(async _ => ((string)(await Replica.ExecuteAsync("CLUSTER", "NODES").ConfigureAwait(false))!).Contains(first, StringComparison.Ordinal), cancellationToken: cancellationToken).ConfigureAwait(false);
        await Replica.ExecuteAsync("CLUSTER", "REPLICATE", first).ConfigureAwait(false);
        await Eventually.Async(
            async _ => ((string)(await Replica.ExecuteAsync("INFO", "replication").ConfigureAwait(false))!).Contains("master_link_status:up", StringComparison.Ordinal),
            cancellationToken: cancellationToken).ConfigureAwait(false);

        async Task EveryoneSays(Predicate<string> accept)
        {
            foreach (var server in _servers)
                await Eventually.Async(async _ => accept((string)(await server.ExecuteAsync("CLUSTER", "INFO").ConfigureAwait(false))!), cancellationToken: cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task<string> BusOfAsync(RedisServer server) =>
        ((string[])(await server.ExecuteAsync("CONFIG", "GET", "cluster-port").ConfigureAwait(false))!)[1];
}
