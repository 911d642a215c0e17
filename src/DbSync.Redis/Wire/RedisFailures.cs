using StackExchange.Redis;

namespace DbSync.Redis.Wire;

/// <summary>Turns the driver's failures into DbSync's. Redis tells failures apart by the first word of the reply, its error code.</summary>
internal static class RedisFailures
{
    public static string CodeOf(RedisServerException failure)
    {
        const string Kind = "SimpleError: "; // what the driver puts before the reply during its handshake
        var reply = failure.Message.StartsWith(Kind, StringComparison.Ordinal) ? failure.Message[Kind.Length..] : failure.Message;
        var end = reply.IndexOf(' ', StringComparison.Ordinal);
        return end < 0 ? reply : reply[..end];
    }

    /// <summary>True when the same call may work in a moment.</summary>
    public static bool IsTransient(Exception failure) => failure is DbSyncException { Code: ErrorCodes.LockServerUnreachable };

    public static DbSyncException Describe(Exception failure) => failure switch
    {
        RedisServerException server => CodeOf(server) switch
        {
            "NOPERM" or "NOAUTH" or "WRONGPASS" => Refused(server.Message, server),
            "READONLY" or "LOADING" or "MASTERDOWN" or "CLUSTERDOWN" or "TRYAGAIN" or "OOM" or "MISCONF" or "NOREPLICAS" or "BUSY" or "UNBLOCKED"
                => Unreachable(server, $"The lock server can't serve now ({CodeOf(server)})."),
            _ => new(ErrorCodes.LockServerUnsupported, "The lock server doesn't know DbSync's functions, or failed inside one.",
                "Use Redis 7.0+ or Valkey; `dbsync explain DBS6006` says what else is needed.", server),
        },
        _ => Unreachable(failure, "The lock server can't be reached."),
    };

    /// <summary>A cluster that is moving the resource's slot runs no function on it, and says no more of it than ERR.</summary>
    public static DbSyncException Moving(RedisServerException failure) =>
        Unreachable(failure, "The cluster can't run the functions of locks now: it is moving the resource to another node.");

    public static DbSyncException Refused(string what, RedisServerException? failure = null) => new(ErrorCodes.LockPermissionMissing,
        $"Redis refused what range locks need: {what}.", "`dbsync explain DBS6007` lists the rules the user needs.", failure);

    private static DbSyncException Unreachable(Exception failure, string what) =>
        new(ErrorCodes.LockServerUnreachable, what, "Check the server and the network; nothing has to be restarted here.", failure);
}

/// <summary>For the few plain commands beside the library.</summary>
internal static class RedisTasks
{
    public static async Task<T> Translated<T>(this Task<T> command)
    {
        try
        {
            return await command;
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException)
        {
            throw RedisFailures.Describe(failure);
        }
    }
}
