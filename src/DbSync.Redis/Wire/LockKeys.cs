using System.Text;
using DbSync.Locking;
using StackExchange.Redis;

namespace DbSync.Redis.Wire;

/// <summary>The names of keys and channels. Everything of a resource has one hash tag, so a cluster keeps it on one node.</summary>
internal sealed class LockKeys(string prefix)
{
    /// <summary>A set of the resources in use, by name.</summary>
    public RedisKey Resources { get; } = $"{prefix}:resources";

    /// <summary>
    /// The key all others of the resource are derived from. What isn't a letter, digit, dot, hyphen or underscore is written as %XX of its
    /// UTF-8 bytes: distinct names stay distinct, and no name can reach out of its braces (scenario S10).
    /// </summary>
    public RedisKey Base(LockResource resource)
    {
        var key = new StringBuilder(prefix).Append(":{");
        foreach (var b in Encoding.UTF8.GetBytes(resource.Name))
        {
            if (char.IsAsciiLetterOrDigit((char)b) || b is (byte)'.' or (byte)'-' or (byte)'_') key.Append((char)b);
            else key.Append('%').Append(b.ToString("X2"));
        }

        return key.Append('}').ToString();
    }

    /// <summary>Where one client process is told of grants and revocations.</summary>
    public RedisChannel Channel(string client) => RedisChannel.Literal($"{prefix}:c:{client}");
}
