using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace DbSync;

/// <summary>
/// The state of Bob Jenkins' <c>lookup3</c> hash, with the start value, the seed and the 64-bit result that PostgreSQL gives it. Words
/// are read little-endian on every machine: what PostgreSQL computes on a big-endian one is another hash, and the known-answer vectors
/// refuse it.
/// </summary>
/// <remarks>
/// Sources: Jenkins, "lookup3.c" (2006), <c>mix</c>, <c>final</c> and <c>hashlittle</c>; PostgreSQL 11 and later,
/// <c>hash_bytes_extended</c> (src/common/hashfn.c).
/// </remarks>
internal struct Lookup3
{
    /// <summary>The bytes taken by one round.</summary>
    public const int RoundBytes = 12;

    /// <summary>PostgreSQL's start value: the golden ratio, plus the initial value it chose long ago.</summary>
    private const uint Start = 0x9e3779b9 + 3923095u;

    private uint _a;
    private uint _b;
    private uint _c;

    /// <param name="lengthBytes">The length of the whole input, which is part of the hash.</param>
    /// <param name="seed">0 means no seed; another one counts as a first round of its own.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Lookup3(uint lengthBytes, ulong seed)
    {
        _a = _b = _c = Start + lengthBytes;
        if (seed != 0) Round((uint)(seed >> 32), (uint)seed, 0);
    }

    /// <summary>Mixes 12 bytes in, as three words.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Round(uint first, uint second, uint third)
    {
        var (a, b, c) = (_a + first, _b + second, _c + third);
        a -= c; a ^= BitOperations.RotateLeft(c, 4); c += b;
        b -= a; b ^= BitOperations.RotateLeft(a, 6); a += c;
        c -= b; c ^= BitOperations.RotateLeft(b, 8); b += a;
        a -= c; a ^= BitOperations.RotateLeft(c, 16); c += b;
        b -= a; b ^= BitOperations.RotateLeft(a, 19); a += c;
        c -= b; c ^= BitOperations.RotateLeft(b, 4); b += a;
        (_a, _b, _c) = (a, b, c);
    }

    /// <summary>Mixes in the last words, of which the third has its lowest byte free, and gives the 64-bit hash.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly ulong Finish(uint first, uint second, uint third)
    {
        var (a, b, c) = (_a + first, _b + second, _c + third);
        c ^= b; c -= BitOperations.RotateLeft(b, 14);
        a ^= c; a -= BitOperations.RotateLeft(c, 11);
        b ^= a; b -= BitOperations.RotateLeft(a, 25);
        c ^= b; c -= BitOperations.RotateLeft(b, 16);
        a ^= c; a -= BitOperations.RotateLeft(c, 4);
        b ^= a; b -= BitOperations.RotateLeft(a, 14);
        c ^= b; c -= BitOperations.RotateLeft(b, 24);
        return ((ulong)b << 32) | c;
    }

    /// <summary>Mixes in all full rounds of <paramref name="bytes"/>, finishes with the rest, and gives the 64-bit hash.</summary>
    public ulong Finish(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length >= RoundBytes)
        {
            Round(Word(bytes), Word(bytes[4..]), Word(bytes[8..]));
            bytes = bytes[RoundBytes..];
        }

        // The lowest byte of the third word belongs to the length, so the bytes of the rest start one higher.
        if (bytes.Length >= 8) return Finish(Word(bytes), Word(bytes[4..]), Rest(bytes[8..]) << 8);
        if (bytes.Length >= 4) return Finish(Word(bytes), Rest(bytes[4..]), 0);
        return Finish(Rest(bytes), 0, 0);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Word(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt32LittleEndian(bytes);

    /// <summary>Up to three bytes as a word.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Rest(ReadOnlySpan<byte> bytes) => bytes.Length switch
    {
        0 => 0,
        1 => bytes[0],
        2 => BinaryPrimitives.ReadUInt16LittleEndian(bytes),
        _ => BinaryPrimitives.ReadUInt16LittleEndian(bytes) | ((uint)bytes[2] << 16),
    };
}
