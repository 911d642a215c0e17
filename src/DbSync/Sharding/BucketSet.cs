using System.Numerics;

namespace DbSync;

/// <summary>Some of the buckets, one bit each.</summary>
internal sealed class BucketSet : IEquatable<BucketSet>
{
    private readonly ulong[] _bits = new ulong[Bucket.Count / 64];

    public BucketSet()
    {
    }

    /// <param name="bytes">What <see cref="ToBytes"/> gave.</param>
    public BucketSet(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != Bucket.Count / 8) throw new ArgumentException($"A set of buckets has {Bucket.Count / 8} bytes.", nameof(bytes));
        for (var i = 0; i < _bits.Length; i++) _bits[i] = System.Buffers.Binary.BinaryPrimitives.ReadUInt64LittleEndian(bytes[(i * 8)..]);
    }

    public int Count
    {
        get
        {
            var count = 0;
            foreach (var word in _bits) count += BitOperations.PopCount(word);
            return count;
        }
    }

    public bool IsEmpty => !_bits.AsSpan().ContainsAnyExcept(0ul);

    public bool Contains(Bucket bucket) => (_bits[bucket.Number >> 6] >> (bucket.Number & 63) & 1) != 0;

    public void Add(Bucket bucket) => _bits[bucket.Number >> 6] |= 1ul << (bucket.Number & 63);

    /// <summary>The buckets that are in this set and not in another.</summary>
    public BucketSet Except(BucketSet other) => Combine(other, static (a, b) => a & ~b);

    public BucketSet Union(BucketSet other) => Combine(other, static (a, b) => a | b);

    public BucketSet Intersect(BucketSet other) => Combine(other, static (a, b) => a & b);

    /// <summary>The buckets, in order.</summary>
    public IEnumerable<Bucket> All() => Enumerable.Range(0, Bucket.Count).Select(number => new Bucket((ushort)number)).Where(Contains);

    public byte[] ToBytes()
    {
        var bytes = new byte[Bucket.Count / 8];
        for (var i = 0; i < _bits.Length; i++) System.Buffers.Binary.BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(i * 8), _bits[i]);
        return bytes;
    }

    public bool Equals(BucketSet? other) => other is not null && _bits.AsSpan().SequenceEqual(other._bits);

    public override bool Equals(object? obj) => Equals(obj as BucketSet);

    public override int GetHashCode() => Count;

    private BucketSet Combine(BucketSet other, Func<ulong, ulong, ulong> with)
    {
        var result = new BucketSet();
        for (var i = 0; i < _bits.Length; i++) result._bits[i] = with(_bits[i], other._bits[i]);
        return result;
    }
}
