using System.Globalization;

namespace DbSync.Testing;

/// <summary>What a <see cref="RedisServer"/> is started with.</summary>
public sealed record RedisServerOptions
{
    /// <summary>The memory limit, in MB; null for none.</summary>
    public int? MaxMemoryMb { get; init; }

    /// <summary>What happens at the limit; Redis's own words. The default refuses writes, as a lock server must.</summary>
    public string MaxMemoryPolicy { get; init; } = "noeviction";

    /// <summary>The default user's password; null for none.</summary>
    public string? Password { get; init; }

    /// <summary>Users as in a Redis ACL file without the leading <c>user</c>: <c>app on >secret ~dbsync:* +@all</c>.</summary>
    public IReadOnlyList<string> Users { get; init; } = [];

    /// <summary>Keeps data over restarts (appendonly, synced on every write); otherwise a restarted server is empty.</summary>
    public bool Persistent { get; init; }

    /// <summary>Speaks TLS and nothing else; null for plain text.</summary>
    public TestCertificates? Tls { get; init; }

    /// <summary>Further settings as in redis.conf; they win over the ones above.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>The lines of redis.conf.</summary>
    internal IEnumerable<string> Lines(int port)
    {
        if (Tls is { } tls)
        {
            yield return "port 0";
            yield return string.Create(CultureInfo.InvariantCulture, $"tls-port {port}");
            yield return $"tls-cert-file {tls.CertificateFile}";
            yield return $"tls-key-file {tls.KeyFile}";
            yield return $"tls-ca-cert-file {tls.AuthorityFile}";
            yield return "tls-auth-clients no";
        }
        else
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"port {port}");
        }

        yield return "save \"\"";
        yield return $"appendonly {(Persistent ? "yes" : "no")}";
        yield return "appendfsync always";
        yield return $"maxmemory-policy {MaxMemoryPolicy}";
        if (MaxMemoryMb is { } limit)
            yield return $"maxmemory {limit}mb";
        if (Password is { } password)
            yield return $"user default on >{password} ~* &* +@all";
        foreach (var user in Users)
            yield return $"user {user}";
        foreach (var (name, value) in Settings)
            yield return $"{name} {value}";
    }
}
