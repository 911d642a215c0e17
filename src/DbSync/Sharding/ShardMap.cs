using System.Runtime.CompilerServices;

namespace DbSync;

/// <summary>
/// Which shards hold each bucket, at one version. It never changes: a new version is a new map. Shards are named by their ordinal in
/// <see cref="ShardTopology.Shards"/>.
/// </summary>
internal sealed class ShardMap
{
    /// <summary>The first owners once more, packed: what a lookup by key reads is 32 KiB and stays in the cache.</summary>
    private readonly ushort[] _first = new ushort[Bucket.Count];
    private readonly ushort[] _owners;

    /// <param name="version">Grows by one with each change.</param>
    /// <param name="topology">The shards that the ordinals name.</param>
    /// <param name="owners">For each bucket its owners in order, as many as there are copies.</param>
    public ShardMap(long version, ShardTopology topology, ReadOnlySpan<ushort> owners)
    {
        if (owners.Length != Bucket.Count * topology.Copies)
            throw new ArgumentException("A map needs the owners of every copy of every bucket.", nameof(owners));
        Version = version;
        Topology = topology;
        _owners = owners.ToArray();
        for (var bucket = 0; bucket < Bucket.Count; bucket++)
        {
            var of = owners.Slice(bucket * topology.Copies, topology.Copies);
            for (var copy = 0; copy < of.Length; copy++)
            {
                if (of[copy] >= topology.Shards.Length) throw new ArgumentException("An owner is not a shard.", nameof(owners));
                if (of[..copy].Contains(of[copy])) throw new ArgumentException("A shard owns a bucket twice.", nameof(owners));
            }

            _first[bucket] = of[0];
        }
    }

    public long Version { get; }

    public ShardTopology Topology { get; }

    /// <summary>The ordinal of the shard that holds the first copy of a bucket.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ushort FirstOwnerOf(Bucket bucket) => _first[bucket.Number];

    /// <summary>The ordinals of all shards that hold a bucket, the first copy first.</summary>
    public ReadOnlySpan<ushort> OwnersOf(Bucket bucket) => _owners.AsSpan(bucket.Number * Topology.Copies, Topology.Copies);

    /// <summary>Whether a shard owns a copy of a bucket.</summary>
    public bool IsOwned(Bucket bucket, ShardId shard)
    {
        foreach (var owner in OwnersOf(bucket))
            if (Topology.Shards[owner].Id == shard) return true;
        return false;
    }

    /// <summary>The buckets of which a shard owns a copy.</summary>
    public BucketSet OwnedBy(ShardId shard)
    {
        var owned = new BucketSet();
        for (var number = 0; number < Bucket.Count; number++)
        {
            var bucket = new Bucket((ushort)number);
            if (IsOwned(bucket, shard)) owned.Add(bucket);
        }
        return owned;
    }

    /// <summary>The shard that holds the first copy of a bucket.</summary>
    public ShardId ShardOf(Bucket bucket) => Topology.Shards[FirstOwnerOf(bucket)].Id;

    /// <summary>The same placement as another version.</summary>
    public ShardMap Renumber(long version) => new(version, Topology, _owners);

    /// <summary>The same owners as another version, named by the ordinals of a topology that has all of them.</summary>
    public ShardMap Renumber(long version, ShardTopology topology)
    {
        var ordinals = new Dictionary<ShardId, ushort>();
        for (var i = 0; i < topology.Shards.Length; i++) ordinals.Add(topology.Shards[i].Id, (ushort)i);
        return new ShardMap(version, topology, Array.ConvertAll(_owners, owner => ordinals[Topology.Shards[owner].Id]));
    }

    /// <summary>How many copies of buckets each shard holds, in the order of the shards.</summary>
    public int[] CountCopies()
    {
        var counts = new int[Topology.Shards.Length];
        foreach (var owner in _owners) counts[owner]++;
        return counts;
    }
}
