using System.Security.Cryptography;

namespace DbSync.Postgres;

/// <summary>The names of a replica's objects on the primary.</summary>
internal static class ReplicaNames
{
    public const string DefaultReplica = "main";

    public const string DefaultShard = "main";

    /// <summary>So that the slot's name stays within PostgreSQL's 63 bytes.</summary>
    private const int LengthMax = 24;

    /// <summary>What a name may be, for people.</summary>
    public static readonly string Rule = $"1 to {LengthMax} lower-case letters, digits or underscores";

    public static string Publication(string replica) => $"dbsync_{replica}";

    public static string Slot(string replica, string node) => $"dbsync_{replica}_{node}";

    /// <summary>A new node's name: random, so that it says nothing of a host and meets no other.</summary>
    public static string NewNode() => "n" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4));

    /// <summary>PostgreSQL allows in a slot's name only these.</summary>
    /// <exception cref="DbSyncException">DBS1001.</exception>
    public static string Check(string name, string what) =>
        IsValid(name) ? name : throw new DbSyncException(ErrorCodes.InvalidOption, $"The {what}'s name can't be used.", $"Use {Rule}.");

    public static bool IsValid(string name) =>
        name.Length is > 0 and <= LengthMax && name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '_');
}
