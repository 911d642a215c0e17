using System.Runtime.CompilerServices;

namespace DbSync;

/// <summary>
/// The owners of all buckets while a plan is made: copies without an owner are possible here, two copies of a bucket in one place are not.
/// </summary>
internal sealed class ShardPlacement
{
    /// <summary>Marks a copy that has no owner yet.</summary>
    public const ushort None = ushort.MaxValue;

    private readonly ushort[] _owners;
    private readonly int[] _groupOf;
    private ushort[] _homes = [];
    private readonly int _copies;

    public ShardPlacement(ShardTopology topology)
    {
        _copies = topology.Copies;
        _groupOf = [.. topology.GroupOf];
        _owners = new ushort[Bucket.Count * _copies];
        _owners.AsSpan().Fill(None);
        Held = new int[topology.Shards.Length];
        Quotas = new int[topology.Shards.Length];
    }

    public ReadOnlySpan<ushort> Owners => _owners;

    /// <summary>The copies that each shard holds.</summary>
    public int[] Held { get; }

    /// <summary>The copies that each shard is to hold.</summary>
    public int[] Quotas { get; set; }

    public int ShardCount => Held.Length;

    /// <summary>The owners of a bucket, some perhaps <see cref="None"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ReadOnlySpan<ushort> OwnersOf(int bucket) => _owners.AsSpan(bucket * _copies, _copies);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Deficit(int shard) => Quotas[shard] - Held[shard];

    public int GroupOf(int shard) => _groupOf[shard];

    /// <summary>Remembers where everything is now: only what is elsewhere in the end has to be copied.</summary>
    public void MarkHomes() => _homes = [.. _owners];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool IsHome(int bucket, int shard) => _homes.AsSpan(bucket * _copies, _copies).Contains((ushort)shard);

    /// <summary>What one step of a plan adds to the copies to be made: a bucket that goes home, or on, has been paid for.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int CostOf(int bucket, int from, int to) => (IsHome(bucket, to) ? 0 : 1) - (from == None || IsHome(bucket, from) ? 0 : 1);

    /// <summary>
    /// True when <paramref name="to"/> may hold the bucket once <paramref name="from"/> (or nobody, for a copy without owner) gave it
    /// up.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool MayMove(int bucket, int from, int to)
    {
        var group = _groupOf[to];
        foreach (var owner in OwnersOf(bucket))
        {
            if (owner == to || (owner != None && owner != from && _groupOf[owner] == group)) return false;
        }

        return true;
    }

    /// <summary>Hands a copy over; it keeps its rank among the copies of its bucket.</summary>
    public void Move(int bucket, int from, int to)
    {
        var rank = OwnersOf(bucket).IndexOf((ushort)from);
        if (rank < 0 || (to != None && !MayMove(bucket, from, to)))
            throw new InvalidOperationException("A bucket was moved to a place that holds it already, or from one that doesn't.");
        _owners[(bucket * _copies) + rank] = (ushort)to;
        if (from != None) Held[from]--;
        if (to != None) Held[to]++;
    }

    /// <summary>The buckets of which <paramref name="owner"/> has a copy.</summary>
    public List<int> BucketsOf(int owner)
    {
        var buckets = new List<int>();
        for (var at = 0; at < _owners.Length; at++)
        {
            // A bucket may lack several copies; it is listed once.
            if (_owners[at] == owner && (buckets.Count == 0 || buckets[^1] != at / _copies)) buckets.Add(at / _copies);
        }

        return buckets;
    }
}
