using System.Buffers.Binary;
using System.Text;
using CsCheck;

namespace DbSync.Postgres.Tests.Types;

/// <summary>Random values of the fast types in PostgreSQL's send format, over all that the server accepts.</summary>
internal static class WireSamples
{
    private const long TimestampMin = -211_813_488_000_000_000;
    private const long TimestampEnd = 9_223_371_331_200_000_000;

    public static (string Type, Gen<byte[]> Wire)[] All { get; } =
    [
        ("bool", Gen.Bool.Select(v => new[] { (byte)(v ? 1 : 0) })),
        ("int2", Gen.Short.Select(v => Bytes(2, b => BinaryPrimitives.WriteInt16BigEndian(b, v)))),
        ("int4", Gen.Int.Select(Int32)),
        ("int8", Gen.Long.Select(Int64)),
        ("oid", Gen.UInt.Select(v => Int32((int)v))),
        ("float4", Gen.OneOf(Gen.Float, Gen.Int.Select(BitConverter.Int32BitsToSingle)).Select(v => Bytes(4, b => BinaryPrimitives.WriteSingleBigEndian(b, v)))),
        ("float8", Gen.OneOf(Gen.Double, Gen.Long.Select(BitConverter.Int64BitsToDouble)).Select(v => Bytes(8, b => BinaryPrimitives.WriteDoubleBigEndian(b, v)))),
        ("numeric", Numeric),
        ("text", Text),
        ("varchar", Text),
        ("bpchar", Text.Select(v => (byte[])[.. v, .. "  "u8])),
        ("jsonb", Gen.Select(Gen.String.AlphaNumeric, Gen.Decimal).Select((s, n) => (byte[])[1, .. Encoding.UTF8.GetBytes($$"""{"k": "{{s}}", "n": {{n}}}""")])),
        ("uuid", Gen.Byte.Array[16]),
        ("bytea", Gen.Byte.Array[0, 100]),
        ("timestamp", Gen.OneOf(Gen.Long[TimestampMin, TimestampEnd - 1], Near(0), Among(long.MinValue, long.MaxValue)).Select(Int64)),
        ("timestamptz", Gen.OneOf(Gen.Long[TimestampMin, TimestampEnd - 1], Near(252_455_616_000_000_000), Near(-63_082_281_600_000_000)).Select(Int64)),
        ("date", Gen.OneOf(Gen.Int[-2_451_545, 2_145_031_948], Gen.Int[-800_000, 3_000_000], Among(int.MinValue, int.MaxValue)).Select(Int32)),
        ("time", Gen.Long[0, 86_400_000_000].Select(Int64)),
        ("interval", Interval),
    ];

    public static Gen<T> Among<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);

    private static Gen<byte[]> Text => Gen.String.Select(v => Encoding.UTF8.GetBytes(v.Replace("\0", "", StringComparison.Ordinal)));

    // The groups are as PostgreSQL sends them: no zero group at either end.
    private static Gen<byte[]> Numeric =>
        Gen.Select(Gen.Short[0, 9999].Array[0, 12], Gen.Int[-6, 10], Gen.Bool, Gen.Int[0, 44]).Select((groups, weight, negative, scale) =>
        {
            var wire = new byte[8 + 2 * groups.Length];
            BinaryPrimitives.WriteInt16BigEndian(wire, (short)groups.Length);
            BinaryPrimitives.WriteInt16BigEndian(wire.AsSpan(2), (short)weight);
            BinaryPrimitives.WriteUInt16BigEndian(wire.AsSpan(4), (ushort)(negative ? 0x4000 : 0));
            BinaryPrimitives.WriteInt16BigEndian(wire.AsSpan(6), (short)scale);
            for (var i = 0; i < groups.Length; i++) BinaryPrimitives.WriteInt16BigEndian(wire.AsSpan(8 + 2 * i), groups[i]);
            return wire;
        });

    private static Gen<byte[]> Interval =>
        Gen.Select(
            Gen.OneOf(Gen.Long[-long.MaxValue, long.MaxValue - 1], Gen.Long[-1_000_000_000_000, 1_000_000_000_000], Gen.Const(0L)),
            Gen.OneOf(Gen.Int[-int.MaxValue, int.MaxValue - 1], Gen.Int[-40, 40], Gen.Const(0)),
            Gen.OneOf(Gen.Const(0), Gen.Int[-30, 30], Gen.Int[-int.MaxValue, int.MaxValue - 1]))
        .Select((microseconds, days, months) => (byte[])[.. Int64(microseconds), .. Int32(days), .. Int32(months)]);

    private static Gen<long> Near(long value) => Gen.Long[value - 100_000_000, value + 100_000_000];

    private static byte[] Int32(int value) => Bytes(4, b => BinaryPrimitives.WriteInt32BigEndian(b, value));

    private static byte[] Int64(long value) => Bytes(8, b => BinaryPrimitives.WriteInt64BigEndian(b, value));

    private static byte[] Bytes(int length, Action<byte[]> write)
    {
        var bytes = new byte[length];
        write(bytes);
        return bytes;
    }
}
