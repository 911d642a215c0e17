using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;

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

    private static readonly MotionStage?[] Stages = [null, MotionStage.Moving, MotionStage.Switched];

    public long Version => Map.Version;

    /// <summary>Buckets on their way; null while all are where they belong.</summary>
    public ShardMotion? Motion { get; init; }

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

    /// <summary>The buckets of which a shard takes every change: those that it owns, those that it is about to get, those that it has given up and may get back.</summary>
    public BucketSet HeldBy(ShardId shard)
    {
        var owned = Map.OwnedBy(shard);
        return Motion?.HeldBesides(shard) is { } besides ? owned.Union(besides) : owned;
    }

    /// <summary>Whether a table is placed by another key than before, or no longer by one.</summary>
    public bool ChangesKey(ShardLayout? before, string table)
    {
        var (old, now) = (before?.Keys.GetValueOrDefault(table), Keys.GetValueOrDefault(table));
        return old is null || now is null ? !ReferenceEquals(old, now) : !old.Equals(now);
    }

    /// <summary>The next version, with which buckets begin to move; what is read stays as it is.</summary>
    /// <param name="plan">A plan that starts from this layout's map, with as many copies of each bucket.</param>
    public ShardLayout Begin(ShardMapPlan plan)
    {
        if (Motion is not null || !ReferenceEquals(plan.Current, Map) || plan.Target.Topology.Copies != Map.Topology.Copies)
            throw new ArgumentException("Buckets move from a map at rest to another one with as many copies.", nameof(plan));
        var target = plan.Target.Topology.Shards.ToDictionary(s => s.Id);
        var here = Map.Topology.Shards.Select(s => s.Id).ToHashSet();
        var members = Map.Topology.Shards.Select(s => target.GetValueOrDefault(s.Id) ?? s).Concat(plan.Target.Topology.Shards.Where(s => !here.Contains(s.Id)));
        var topology = new ShardTopology([.. members], Map.Topology.Copies, plan.Target.Topology.Spread);
        var gets = ImmutableDictionary.CreateBuilder<ShardId, BucketSet>();
        var gives = ImmutableDictionary.CreateBuilder<ShardId, BucketSet>();
        foreach (var shard in topology.Shards.Select(s => s.Id))
        {
            var (before, after) = (Map.OwnedBy(shard), plan.Target.OwnedBy(shard));
            if (after.Except(before) is { IsEmpty: false } got) gets.Add(shard, got);
            if (before.Except(after) is { IsEmpty: false } given) gives.Add(shard, given);
        }
        return this with
        {
            Map = Map.Renumber(Version + 1, topology),
            Motion = new ShardMotion(MotionStage.Moving, gets.ToImmutable(), gives.ToImmutable(), [.. here.Where(s => !target.ContainsKey(s))]),
        };
    }

    /// <summary>The next version, in which the buckets that moved are read where they went to.</summary>
    public ShardLayout Switch()
    {
        var motion = Motion is { Stage: MotionStage.Moving } moving ? moving : throw new InvalidOperationException("No bucket is on its way.");
        var (copies, shards) = (Map.Topology.Copies, Map.Topology.Shards);
        var owners = new ushort[Bucket.Count * copies];
        for (var number = 0; number < Bucket.Count; number++)
        {
            var bucket = new Bucket((ushort)number);
            var of = owners.AsSpan(number * copies, copies);
            Map.OwnersOf(bucket).CopyTo(of);
            var next = 0;
            for (var copy = 0; copy < copies; copy++)
            {
                if (motion.Gives.GetValueOrDefault(shards[of[copy]].Id)?.Contains(bucket) != true) continue;
                while (motion.Gets.GetValueOrDefault(shards[next].Id)?.Contains(bucket) != true) next++;
                of[copy] = (ushort)next++;
            }
        }
        return this with { Map = new ShardMap(Version + 1, Map.Topology, owners), Motion = motion with { Stage = MotionStage.Switched } };
    }

    /// <summary>The next version, with which those that gave buckets up let go of them.</summary>
    public ShardLayout Settle()
    {
        var motion = Motion is { Stage: MotionStage.Switched } switched ? switched : throw new InvalidOperationException("No bucket was moved.");
        var topology = new ShardTopology([.. Map.Topology.Shards.Where(s => !motion.Leaving.Contains(s.Id))], Map.Topology.Copies, Map.Topology.Spread);
        return this with { Map = Map.Renumber(Version + 1, topology), Motion = null };
    }

    /// <summary>The next version, which is as the last one at rest was.</summary>
    /// <param name="before">That one.</param>
    public ShardLayout Return(ShardLayout before) => Motion is not null && before.Motion is null
        ? this with { Map = before.Map.Renumber(Version + 1), Motion = null }
        : throw new InvalidOperationException("Nothing is on its way that could be taken back.");

    public static ImmutableSortedDictionary<string, ShardKeyRule> KeysOf(IEnumerable<KeyValuePair<string, ShardKeyRule>> keys) =>
        keys.ToImmutableSortedDictionary(k => k.Key, k => k.Value, StringComparer.Ordinal);

    /// <summary>The layout as the columns of its row.</summary>
    public ShardLayoutRow ToRow() => new(
        Version,
        Map.Topology.Copies,
        (int)Map.Topology.Spread,
        HashOf(Motion?.Stage),
        JsonSerializer.Serialize(Map.Topology.Shards.Select(MemberOf), Json),
        JsonSerializer.Serialize(Keys.ToDictionary(k => k.Key, k => new Rule([.. k.Value.Columns], [.. k.Value.Kinds.Select(h => h.ToString())]), StringComparer.Ordinal), Json),
        Encode(Map));

    /// <exception cref="DbSyncException">DBS8002 when the row is none that this version can have written.</exception>
    public static ShardLayout Of(ShardLayoutRow row)
    {
        var known = Stages.Where(s => row.Hash == HashOf(s)).ToList();
        if (known.Count == 0) throw Unreadable(row.Version, "it was made for another hash");
        try
        {
            var members = JsonSerializer.Deserialize<Member[]>(row.Shards, Json)!;
            var topology = new ShardTopology([.. members.Select(m => new ShardMember(new ShardId(m.Id), m.Weight, m.Node, m.Zone))], row.Copies, (Spread)row.Spread);
            var keys = JsonSerializer.Deserialize<Dictionary<string, Rule>>(row.Keys, Json)!;
            return new ShardLayout(
                new ShardMap(row.Version, topology, Decode(row.Owners)),
                KeysOf(keys.Select(k => KeyValuePair.Create(k.Key, new ShardKeyRule([.. k.Value.Columns], [.. k.Value.Kinds.Select(Enum.Parse<HashKind>)])))))
            {
                Motion = known[0] is { } moves ? new ShardMotion(moves, Sets(members, m => m.Gets), Sets(members, m => m.Gives), [.. members.Where(m => m.Leaves).Select(m => new ShardId(m.Id))]) : null,
            };
        }
        catch (Exception exception) when (exception is JsonException or ArgumentException or NullReferenceException or FormatException)
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

    private Member MemberOf(ShardMember shard) => new(shard.Id.Name, shard.Weight, shard.Node, shard.Zone)
    {
        Gets = Text(Motion?.Gets.GetValueOrDefault(shard.Id)), Gives = Text(Motion?.Gives.GetValueOrDefault(shard.Id)), Leaves = Motion?.Leaving.Contains(shard.Id) ?? false,
    };

    /// <summary>A version that does not know of buckets on their way must not take such a map for one at rest: it refuses another hash.</summary>
    private static string HashOf(MotionStage? stage) => stage is { } moves ? $"{HashVectors.HashId}/{moves}" : HashVectors.HashId;

    private static string? Text(BucketSet? buckets) => buckets is null ? null : Convert.ToBase64String(buckets.ToBytes());

    private static ImmutableDictionary<ShardId, BucketSet> Sets(Member[] members, Func<Member, string?> of) =>
        members.Where(m => of(m) is not null).ToImmutableDictionary(m => new ShardId(m.Id), m => new BucketSet(Convert.FromBase64String(of(m)!)));

    private sealed record Member(string Id, int Weight, string Node, string Zone)
    {
        [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        public string? Gets { get; init; }

        [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        public string? Gives { get; init; }

        [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
        public bool Leaves { get; init; }
    }

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
