using System.Globalization;

namespace DbSync.Postgres;

/// <summary>Reads how a replica is to be sharded, as <c>init</c>'s options and an application's settings say it.</summary>
internal static class ShardingArguments
{
    /// <exception cref="DbSyncException">DBS1001 when an option says nothing that makes sense.</exception>
    public static ShardingRequest Parse(string? shards, string? keys, string? references, int copies)
    {
        var members = shards is null ? null : NumberedOrNamed(shards);
        if (members?.GroupBy(m => m.Node, StringComparer.Ordinal).Any(g => g.Count() > MapPlacement.ShardsMax) == true)
            throw new DbSyncException(ErrorCodes.InvalidOption, $"A node holds up to {MapPlacement.ShardsMax} shards.", "Ask for fewer.");
        return new ShardingRequest(members, copies, members?.Exists(m => m.Node.Length > 0) == true ? Spread.Node : Spread.Shard, Keys(keys), Split(references));
    }

    private static List<ShardMember> NumberedOrNamed(string text)
    {
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count > 0)
            return [.. Enumerable.Range(0, Math.Min(count, ShardTopology.ShardsMax)).Select(i => new ShardMember(new ShardId(string.Create(CultureInfo.InvariantCulture, $"s{i}"))))];
        return Members(text);
    }

    /// <summary>Shards by name, with weights and nodes.</summary>
    /// <exception cref="DbSyncException">DBS1001 when one is none.</exception>
    public static List<ShardMember> Members(string? text) => [.. Split(text).Select(Member)];

    private static ShardMember Member(string text)
    {
        var placed = text.Split('@');
        var parts = placed[0].Split(':');
        var weight = 1;
        if (placed.Length > 2 || parts.Length > 2 || parts.Length == 2 && !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out weight))
            throw new DbSyncException(
                ErrorCodes.InvalidOption, $"'{text}' is no shard.", "Write --shards 4, or names with weights and perhaps nodes: --shards a:1,b:2 or --shards a:1@eu1,b:2@eu2.");
        var node = placed.Length == 2 ? ReplicaNames.Check(placed[1], "node") : "";
        return new ShardMember(new ShardId(ReplicaNames.Check(parts[0], "shard")), weight, node);
    }

    private static Dictionary<string, string[]> Keys(string? text)
    {
        var keys = new Dictionary<string, string[]>(StringComparer.Ordinal);
        foreach (var key in Split(text))
        {
            var equals = key.IndexOf('=', StringComparison.Ordinal);
            var columns = equals < 0 ? [] : key[(equals + 1)..].Split('+', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
            if (equals < 1 || columns.Length == 0 || !keys.TryAdd(key[..equals].Trim(), columns))
                throw new DbSyncException(
                    ErrorCodes.InvalidOption, $"'{key}' is no shard key, or the second one of its table.", "Write TABLE=COLUMN, or TABLE=COLUMN+COLUMN for a composite key.");
        }
        return keys;
    }

    /// <summary>Names with commas between.</summary>
    public static string[] Split(string? text) => text?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) ?? [];
}
