using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Text.Json;

namespace DbSync;

/// <summary>
/// Where a replica's rows are, at one version: the shard map and the shard keys. It is a row of the control schema, travels with the change
/// log like any other, and each shard file keeps the one that holds at its position.
/// </summary>
/// <param name="Map">Which shards hold each bucket.</param>
/// <param name="Keys">The sharded tables, by their names in the replica; every other table is a reference table.</param>
internal sealed record ShardLayout(ShardMap Map, ImmutableSortedDictionary<string, ShardKeyRule> Keys)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    public long Version => Map.Version;

    /// <summary>The shards that live on a node: those placed on it, and those that no node was named for.</summary>
    public IEnumerable<ShardMember> ShardsOn(string node) => Map.Topology.Shards.Where(s => s.Node.Length == 0 || s.Node == node);

    /// <summary>Whether some shards together hold every bucket.</summary>
    public bool IsHeldBy(IEnumerable<string> shards)
    {
        var here = shards.ToHashSet(StringComparer.Ordinal);
        var held = Map.Topology.Shards.Select(s => here.Contains(s.Id.Name)).ToArray();
        for (var bucket = 0; bucket < Bucket.Count; bucket++)
        {
            var found = false;
            foreach (var owner in Map.OwnersOf(new Bucket((ushort)bucket))) found |= held[owner];
            if (!found) return false;
        }
        return true;
    }

    /// <summary>Whether other rows of a table belong to a shard than before.</summary>
    public bool ChangesRows(ShardLayout? before, ShardId shard, string table)
    {
        var (old, now) = (before?.Keys.GetValueOrDefault(table), Keys.GetValueOrDefault(table));
        if (old is null || now is null) return !ReferenceEquals(old, now);
        if (!old.Equals(now)) return true;
        for (var bucket = 0; bucket < Bucket.Count; bucket++)
            if (before!.Map.IsHeld(new Bucket((ushort)bucket), shard) != Map.IsHeld(new Bucket((ushort)bucket), shard)) return true;
        return false;
    }

    public static ImmutableSortedDictionary<string, ShardKeyRule> KeysOf(IEnumerable<KeyValuePair<string, ShardKeyRule>> keys) =>
        keys.ToImmutableSortedDictionary(k => k.Key, k => k.Value, StringComparer.Ordinal);

    /// <summary>The layout as the columns of its row.</summary>
    public ShardLayoutRow ToRow() => new(
        Version,
        Map.Topology.Copies,
        (int)Map.Topology.Spread,
        HashVectors.HashId,
        JsonSerializer.Serialize(Map.Topology.Shards.Select(s => new Member(s.Id.Name, s.Weight, s.Node, s.Zone)), Json),
        JsonSerializer.Serialize(Keys.ToDictionary(k => k.Key, k => new Rule([.. k.Value.Columns], [.. k.Value.Kinds.Select(h => h.ToString())]), StringComparer.Ordinal), Json),
        Encode(Map));

    /// <exception cref="DbSyncException">DBS8002 when the row is none that this version can have written.</exception>
    public static ShardLayout Of(ShardLayoutRow row)
    {
        if (row.Hash != HashVectors.HashId) throw Unreadable(row.Version, "it was made for another hash");
        try
        {
            var members = JsonSerializer.Deserialize<Member[]>(row.Shards, Json)!;
            var topology = new ShardTopology([.. members.Select(m => new ShardMember(new ShardId(m.Id), m.Weight, m.Node, m.Zone))], row.Copies, (Spread)row.Spread);
            var keys = JsonSerializer.Deserialize<Dictionary<string, Rule>>(row.Keys, Json)!;
            return new ShardLayout(
                new ShardMap(row.Version, topology, Decode(row.Owners)),
                KeysOf(keys.Select(k => KeyValuePair.Create(k.Key, new ShardKeyRule([.. k.Value.Columns], [.. k.Value.Kinds.Select(Enum.Parse<HashKind>)])))));
        }
        catch (Exception exception) when (exception is JsonException or ArgumentException or NullReferenceException)
        {
            throw Unreadable(row.Version, "it is damaged", exception);
        }
    }

    private static DbSyncException Unreadable(long version, string why, Exception? inner = null) => new(
        ErrorCodes.UnreadableShardMap, $"Version {version} of the shard map can't be used: {why}.", "Use the DbSync that wrote it, or run 'dbsync uninstall' and set the replica up again.", inner);

    private static byte[] Encode(ShardMap map)
    {
        var owners = new byte[Bucket.Count * map.Topology.Copies * sizeof(ushort)];
        for (var bucket = 0; bucket < Bucket.Count; bucket++)
        {
            var of = map.OwnersOf(new Bucket((ushort)bucket));
            for (var copy = 0; copy < of.Length; copy++)
                BinaryPrimitives.WriteUInt16LittleEndian(owners.AsSpan(((bucket * of.Length) + copy) * sizeof(ushort)), of[copy]);
        }
        return owners;
    }

    private static ushort[] Decode(ReadOnlySpan<byte> bytes)
    {
        var owners = new ushort[bytes.Length / sizeof(ushort)];
        for (var at = 0; at < owners.Length; at++) owners[at] = BinaryPrimitives.ReadUInt16LittleEndian(bytes[(at * sizeof(ushort))..]);
        return owners;
    }

    private sealed record Member(string Id, int Weight, string Node, string Zone);

    private sealed record Rule(string[] Columns, string[] Kinds);
}

/// <summary>A layout as it is stored, on the primary and in shard files alike.</summary>
/// <param name="Version">The map's version.</param>
/// <param name="Copies">Copies of each bucket.</param>
/// <param name="Spread">What the copies must not share.</param>
/// <param name="Hash">The hash that the buckets come from.</param>
/// <param name="Shards">The shards, as JSON.</param>
/// <param name="Keys">The shard keys, as JSON.</param>
/// <param name="Owners">For each bucket the ordinals of its shards, 16 bits each, little-endian.</param>
internal sealed record ShardLayoutRow(long Version, int Copies, int Spread, string Hash, string Shards, string Keys, byte[] Owners);
