using System.Runtime.CompilerServices;

namespace DbSync;

/// <summary>
/// One of the 16,384 fixed hash partitions: the top 14 bits of the hash of a shard key. At 100 shards a bucket is 0.6 % of a shard, and a
/// map of all buckets is 32 KiB; more would buy nothing below about 200 shards.
/// </summary>
/// <param name="Number">0 to 16,383.</param>
internal readonly record struct Bucket(ushort Number) : IComparable<Bucket>
{
    /// <summary>How many buckets there are, for ever: the number is part of where every row is.</summary>
    public const int Count = 16_384;

    /// <summary>How far a 64-bit hash is shifted down to leave the bucket.</summary>
    public const int Shift = 50;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bucket OfHash(ulong hash) => new((ushort)(hash >> Shift));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Bucket Of(long key) => OfHash(PostgresHash.OfInteger(key));

    public static Bucket Of(Guid key) => OfHash(PostgresHash.OfUuid(key));

    /// <summary>The bucket of a text key as UTF-8, or of a bytea key.</summary>
    public static Bucket Of(ReadOnlySpan<byte> key) => OfHash(PostgresHash.OfBytes(key));

    public int CompareTo(Bucket other) => Number.CompareTo(other.Number);

    public override string ToString() => Number.ToString();
}
