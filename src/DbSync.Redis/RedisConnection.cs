using System.Net;
using DbSync.Redis.Wire;
using StackExchange.Redis;

namespace DbSync.Redis;

/// <summary>
/// Opens a connection from one text, StackExchange.Redis's own form: servers or <c>sentinel:26379,serviceName=...</c>, <c>user=</c>, <c>password=</c>,
/// <c>ssl=true</c>. Two things differ from the driver. <c>sslCa=FILE</c> names the certificate authority (PEM) that signed the servers' certificates;
/// certificates and names are always checked. And a server off this machine needs an explicit <c>ssl=true</c> or <c>ssl=false</c>: nothing goes
/// over a network in the clear because somebody forgot a word.
/// </summary>
public static class RedisConnection
{
    private const string CaKey = "sslCa=";

    /// <summary>Connects; an unreachable server fails instead of being retried in the background.</summary>
    /// <param name="configuration">The text.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <exception cref="DbSyncException">DBS1001: the text can't be read, or leaves out <c>ssl</c>; DBS6005: the server can't be reached or its
    /// certificate isn't trusted; DBS6007: the login was refused.</exception>
    public static async Task<IConnectionMultiplexer> ConnectAsync(string configuration, CancellationToken cancellationToken = default)
    {
        var options = Parse(configuration);
        try
        {
            return await ConnectionMultiplexer.ConnectAsync(options).WaitAsync(cancellationToken);
        }
        catch (RedisConnectionException failure) when (failure.FailureType == ConnectionFailureType.AuthenticationFailure && !options.Ssl)
        {
            throw RedisFailures.Refused("the login");
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException)
        {
            throw RedisFailures.Describe(failure);
        }
    }

    internal static ConfigurationOptions Parse(string configuration)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(configuration);
        var words = configuration.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        var authority = words.LastOrDefault(word => word.StartsWith(CaKey, StringComparison.OrdinalIgnoreCase))?[CaKey.Length..];
        ConfigurationOptions options;
        try
        {
            options = ConfigurationOptions.Parse(string.Join(',', words.Where(word => !word.StartsWith(CaKey, StringComparison.OrdinalIgnoreCase))));
        }
        catch (ArgumentException)
        {
            throw Invalid("The connection to Redis can't be read.", "Write it as StackExchange.Redis does: host:6379,user=...,password=...,ssl=true");
        }

        if (options.EndPoints.Count == 0) throw Invalid("The connection to Redis names no server.", "Begin it with host:6379.");
        var saysSsl = words.Any(word => word.StartsWith("ssl=", StringComparison.OrdinalIgnoreCase)) || configuration.StartsWith("rediss://", StringComparison.OrdinalIgnoreCase);
        if (!saysSsl && !options.EndPoints.All(IsThisMachine))
            throw Invalid("Redis isn't on this machine, and nothing says whether to encrypt the connection.", "Add ssl=true, or ssl=false where the network is trusted.");
        if (authority is not null)
        {
            if (!options.Ssl) throw Invalid("sslCa= was given without ssl=true.", "Add ssl=true.");
            if (!File.Exists(authority)) throw Invalid("The file that sslCa= names doesn't exist.", "Name the certificate authority's certificate, in PEM form.");
            options.TrustIssuer(authority);
        }

        return options;
    }

    private static bool IsThisMachine(EndPoint endPoint) => endPoint switch
    {
        IPEndPoint ip => IPAddress.IsLoopback(ip.Address),
        DnsEndPoint dns => dns.Host is "localhost" || dns.Host.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase),
        _ => true, // a Unix socket
    };

    private static DbSyncException Invalid(string what, string fix) => new(ErrorCodes.InvalidOption, what, fix);
}
