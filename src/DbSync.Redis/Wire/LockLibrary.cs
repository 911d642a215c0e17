using System.Globalization;
using System.Net;
using StackExchange.Redis;

namespace DbSync.Redis.Wire;

/// <summary>
/// Calls the functions of the embedded library and loads it where it is missing: on a new server, after FUNCTION FLUSH, on a replica promoted
/// in the middle of a copy. An older revision of the same layout is replaced, a newer one is left and used.
/// </summary>
internal sealed class LockLibrary(IConnectionMultiplexer redis, string? code = null) : IDisposable
{
    private const string Functions = "dbsync_lock1_";
    private const string RevisionIs = "local REVISION = ";

    private readonly string _code = code ?? Code;

    private readonly SemaphoreSlim _loading = new(1);
    private volatile bool _checked;
    private volatile bool _mayAll;

    /// <summary>The library as it is embedded.</summary>
    public static string Code { get; } = ReadCode();

    /// <summary>The revision that it states.</summary>
    public static int Revision { get; } = int.Parse(Code.Split(RevisionIs)[1].Split('\n')[0], CultureInfo.InvariantCulture);

    public IDatabase Database { get; } = redis.GetDatabase();

    /// <summary>One call on the primary that has the key.</summary>
    /// <exception cref="DbSyncException">DBS6005, DBS6006, DBS6007: see <see cref="RedisFailures"/>.</exception>
    public async Task<LockReply> Call(string function, RedisKey key, params RedisValue[] arguments)
    {
        var all = new object[arguments.Length + 3];
        (all[0], all[1], all[2]) = (Functions + function, 1, key);
        for (var i = 0; i < arguments.Length; i++) all[i + 3] = arguments[i];
        try
        {
            if (!_checked) await CheckRevision();
            return new LockReply(await Database.ExecuteAsync("FCALL", all, CommandFlags.DemandMaster));
        }
        catch (RedisServerException failure) when (RedisFailures.CodeOf(failure) == "ERR")
        {
            // ERR is all that Redis says of an unknown function. Whether that is it is found out by loading, which fails when it is there.
            if (!await TryLoad()) throw IsCluster ? RedisFailures.Moving(failure) : RedisFailures.Describe(failure);
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException)
        {
            throw RedisFailures.Describe(failure);
        }

        try
        {
            return new LockReply(await Database.ExecuteAsync("FCALL", all, CommandFlags.DemandMaster));
        }
        catch (RedisServerException failure) when (IsCluster && RedisFailures.CodeOf(failure) == "ERR")
        {
            throw RedisFailures.Moving(failure);
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException)
        {
            throw RedisFailures.Describe(failure);
        }
    }

    /// <summary>Asks once whether the user may do all that the library does.</summary>
    /// <exception cref="DbSyncException">DBS6007, naming the commands that are refused.</exception>
    public async Task RequireRights(RedisKey key)
    {
        if (_mayAll) return;
        var reply = await Call("missing", key);
        if (reply.Length > 1)
            throw RedisFailures.Refused(string.Join(", ", Enumerable.Range(1, reply.Length - 1).Select(reply.Text)));
        _mayAll = true;
    }

    public void Dispose() => _loading.Dispose();

    private bool IsCluster => redis.GetServers().Any(server => server.ServerType == ServerType.Cluster);

    private async Task CheckRevision()
    {
        await _loading.WaitAsync();
        try
        {
            if (_checked) return;
            foreach (var server in Primaries())
            {
                // Where there is none yet, the call itself will load it.
                if (await RevisionOf(server) < Revision) await server.ExecuteAsync("FUNCTION", "LOAD", "REPLACE", _code);
            }

            _checked = true;
        }
        finally
        {
            _loading.Release();
        }
    }

    private async Task<bool> TryLoad()
    {
        await _loading.WaitAsync();
        try
        {
            var loaded = false;
            foreach (var server in Primaries())
            {
                try
                {
                    await server.ExecuteAsync("FUNCTION", "LOAD", _code);
                    loaded = true;
                }
                catch (RedisServerException failure) when (RedisFailures.CodeOf(failure) == "ERR")
                {
                    // It is there already, perhaps loaded by another client a moment ago: worth one more call unless nothing changed. An older
                    // revision, loaded by an older client after a flush, is replaced.
                    if (await RevisionOf(server) is not { } revision) continue;
                    if (revision < Revision) await server.ExecuteAsync("FUNCTION", "LOAD", "REPLACE", _code);
                    loaded = true;
                }
            }

            return loaded;
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException)
        {
            throw RedisFailures.Describe(failure);
        }
        finally
        {
            _loading.Release();
        }
    }

    private static async Task<long?> RevisionOf(IServer server)
    {
        try
        {
            return (long)await server.ExecuteAsync("FCALL", Functions + "revision", 0);
        }
        catch (RedisServerException failure) when (RedisFailures.CodeOf(failure) == "ERR")
        {
            return null;
        }
    }

    private IEnumerable<IServer> Primaries()
    {
        foreach (EndPoint endPoint in redis.GetEndPoints())
        {
            var server = redis.GetServer(endPoint);
            if (server is { IsConnected: true, IsReplica: false }) yield return server;
        }
    }

    private static string ReadCode()
    {
        var assembly = typeof(LockLibrary).Assembly;
        var parts = assembly.GetManifestResourceNames()
            .Where(name => name.StartsWith("lua/", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
            .Select(name =>
            {
                using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
                return reader.ReadToEnd();
            });
        return string.Join('\n', parts);
    }
}
