using System.Globalization;
using DbSync.Postgres;

namespace DbSync.Cli.Commands;

/// <summary>Reads how a replica is to be sharded from <c>init</c>'s options.</summary>
internal static class ShardingArguments
{
    /// <exception cref="DbSyncException">DBS1001 when an option says nothing that makes sense.</exception>
    public static ShardingRequest Parse(string? shards, string? keys, string? references, int copies)
    {
        var members = shards is null ? null : Members(shards);
        if (members is { Count: > MapPlacement.ShardsMax })
            throw new DbSyncException(ErrorCodes.InvalidOption, $"A node holds up to {MapPlacement.ShardsMax} shards.", "Ask for fewer.");
        return new ShardingRequest(members, copies, Keys(keys), Split(references));
    }

    private static List<ShardMember> Members(string text)
    {
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count > 0)
            return [.. Enumerable.Range(0, Math.Min(count, ShardTopology.ShardsMax)).Select(i => new ShardMember(new ShardId(string.Create(CultureInfo.InvariantCulture, $"s{i}"))))];
        return [.. Split(text).Select(Member)];
    }

    private static ShardMember Member(string text)
    {
        var parts = text.Split(':');
        var weight = 1;
        if (parts.Length > 2 || parts.Length == 2 && !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out weight))
            throw new DbSyncException(ErrorCodes.InvalidOption, $"'{text}' is no shard.", "Write --shards 4, or names with weights: --shards a:1,b:2.");
        return new ShardMember(new ShardId(ReplicaNames.Check(parts[0], "shard")), weight);
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

    private static string[] Split(string? text) => text?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) ?? [];
}
