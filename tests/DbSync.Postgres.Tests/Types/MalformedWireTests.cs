using System.Buffers;
using System.Text;
using CsCheck;
using DbSync.Postgres.Types;

namespace DbSync.Postgres.Tests.Types;

/// <summary>Bytes that no server sends: every codec refuses them with the one code or stores something, and takes memory in proportion.</summary>
public class MalformedWireTests
{
    // A short numeric may stand for 131,072 digits before and 16,383 after the point.
    private const int NumericBytesMax = 160_000;
    private const int GrowthMax = 16;

    private static readonly string[] TextSeeds =
    [
        "", "t", "-12", "1.5e-7", "-Infinity", "NaN", "9.9900", "-$1,234.50", "a", "\\x00ff", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "2024-02-29 13:14:15.12+00", "0044-03-15 12:00:00 BC", "infinity", "2024-02-29", "04:05:06.5", "12:30:00.5+05:30",
        "-1 years -2 mons +3 days -04:05:06.78", "192.168.0.1/32", "{}", "{1,NULL,\"a\\\"b\"}", "{\"1 mon\",infinity}", "[0:1]={1,2}", "{{1,2},{3,4}}",
        "[1,null,\"x\"]", "16/B374D848", "é😀",
    ];

    private static readonly byte[][] BinarySeeds =
    [
        [], [1], [0, 7], [1, .. "{}"u8], [0, 0, 0, 7], [0, 0, 0, 0, 0, 0, 0, 7], [0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        [0, 2, 0, 0, 0, 0, 0, 4, 0, 9, 0x26, 0xAC], [0, 1, 0x7F, 0xFF, 0x40, 0, 0x3F, 0xFF, 0x27, 0x0F], [0, 0, 0, 0, 0xC0, 0, 0, 0],
        [.. new byte[16]], [.. Enumerable.Repeat((byte)0xFF, 16)], [0x80, .. new byte[15]],
    ];

    public static TheoryData<string> Codecs =>
    [
        .. TypeTable.System.Keys, .. TypeTable.Extensions.Keys,
        .. TypeTable.System.Where(entry => entry.Value.PrimaryOnlyReason is null).Select(entry => entry.Key + "[]"),
    ];

    [Theory]
    [MemberData(nameof(Codecs))]
    public void Mutated_bytes_are_refused_or_stored_and_never_crash(string type)
    {
        var codec = Find(type);
        var seeds = TextSeeds.Select(Encoding.UTF8.GetBytes).Concat(BinarySeeds).ToArray();
        Mutated(seeds).Sample(
            wire =>
            {
                Check(codec, wire, binary: false);
                Check(codec, wire, binary: true);
            },
            iter: 2000,
            threads: 1);
    }

    private static void Check(TypeCodec codec, byte[] wire, bool binary)
    {
        var buffer = new ChangeBuffer(16);
        try
        {
            _ = binary ? codec.DecodeBinary(wire, buffer) : codec.DecodeText(wire, buffer);
            var encoded = buffer.Written;
            var cell = Cell.Read(ref encoded);
            encoded.Length.ShouldBe(0);
            codec.WriteCanonical(cell, new ArrayBufferWriter<byte>());
        }
        catch (DbSyncException refused)
        {
            refused.Code.ShouldBe(ErrorCodes.ValueUnstorable);
            buffer.Length.ShouldBe(0, "a refused value leaves no cell behind");
        }
        buffer.Capacity.ShouldBeLessThan(GrowthMax * wire.Length + 2 * NumericBytesMax * Math.Max(1, wire.Count(b => b == ',')));
    }

    private static TypeCodec Find(string name) =>
        name.EndsWith("[]", StringComparison.Ordinal) ? TypeTable.ArrayOf(Find(name[..^2]))
        : TypeTable.System.GetValueOrDefault(name) ?? TypeTable.Extensions[name];

    private static Gen<byte[]> Mutated(byte[][] seeds)
    {
        var interesting = Gen.OneOf(Gen.Byte, WireSamples.Among("0129-+.:, {}[]\\\"/NtI"u8.ToArray()));
        var edit = Gen.Select(Gen.Int[0, 3], Gen.Int[0, 60], interesting);
        return Gen.Select(WireSamples.Among(seeds), edit.Array[0, 4]).Select((seed, edits) => edits.Aggregate(seed, Apply));
    }

    private static byte[] Apply(byte[] wire, (int Kind, int Position, byte Value) edit)
    {
        var at = wire.Length == 0 ? 0 : edit.Position % wire.Length;
        return edit.Kind switch
        {
            0 => wire[..at],
            1 => [.. wire[..at], edit.Value, .. wire[at..]],
            2 when wire.Length > 0 => [.. wire[..at], edit.Value, .. wire[(at + 1)..]],
            _ => [.. wire, .. wire[at..]],
        };
    }
}
