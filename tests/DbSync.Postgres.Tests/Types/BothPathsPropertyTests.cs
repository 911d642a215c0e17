using System.Buffers.Binary;
using CsCheck;

namespace DbSync.Postgres.Tests.Types;

/// <summary>Random rows over all fast types: whatever the server holds, both paths store the same bytes and both sides digest them alike.</summary>
[Trait("Needs", "Server")]
public sealed class BothPathsPropertyTests(TypeDatabase database) : IClassFixture<TypeDatabase>
{
    private const int RowsPerTable = 100;
    private const int Tables = 20;

    [Fact]
    public async Task Any_row_is_stored_alike_from_text_and_binary()
    {
        var columns = WireSamples.All;
        var definition = string.Join(", ", columns.Select(column => $"c_{column.Type} {column.Type}"));
        await database.ExecuteAsync($"CREATE TEMPORARY TABLE random_rows (i int4 GENERATED ALWAYS AS IDENTITY, {definition})");
        var cells = columns.Select(column => Gen.Frequency((9, column.Wire.Select(w => (byte[]?)w)), (1, Gen.Const((byte[]?)null)))).ToArray();
        await Sequence(cells).Array[RowsPerTable].SampleAsync(CheckAsync, iter: Tables, threads: 1);
    }

    private async Task CheckAsync(byte[]?[][] rows)
    {
        await database.ExecuteAsync("TRUNCATE random_rows");
        await InsertAsync(rows);
        foreach (var (type, _) in WireSamples.All)
        {
            var column = $"c_{type}";
            var codec = await database.CodecAsync(type);
            var text = await database.TextAsync($"SELECT {column} FROM random_rows ORDER BY i");
            var binary = await database.BinaryAsync($"SELECT {codec.CopySql(column)} FROM random_rows ORDER BY i");
            var canonical = await database.StringsAsync($"SELECT {codec.CanonicalSql(column)} FROM random_rows ORDER BY i");
            text.Count.ShouldBe(rows.Length);
            for (var i = 0; i < rows.Length; i++)
            {
                if (text[i] is null)
                {
                    binary[i].ShouldBeNull();
                    canonical[i].ShouldBeNull();
                    continue;
                }
                var fromText = new ChangeBuffer(64);
                var fromBinary = new ChangeBuffer(64);
                var readable = codec.DecodeText(text[i], fromText);
                codec.DecodeBinary(binary[i], fromBinary).ShouldBe(readable, type);
                CellText.Of(fromBinary).ShouldBe(CellText.Of(fromText), type);
                var encoded = fromBinary.Written;
                TypeDatabase.Canonical(codec, Cell.Read(ref encoded)).ShouldBe(canonical[i], type);
            }
        }
    }

    private async Task InsertAsync(byte[]?[][] rows)
    {
        var names = string.Join(", ", WireSamples.All.Select(column => $"c_{column.Type}"));
        using var copy = new MemoryStream();
        copy.Write([.. "PGCOPY\n"u8, 0xFF, .. "\r\n\0"u8, .. new byte[8]]);
        var number = new byte[4];
        foreach (var row in rows)
        {
            BinaryPrimitives.WriteInt16BigEndian(number, (short)row.Length);
            copy.Write(number, 0, 2);
            foreach (var field in row)
            {
                BinaryPrimitives.WriteInt32BigEndian(number, field?.Length ?? -1);
                copy.Write(number);
                copy.Write(field);
            }
        }
        copy.Write([0xFF, 0xFF]);
        await using var stream = await database.Connection.BeginRawBinaryCopyAsync($"COPY random_rows ({names}) FROM STDIN (FORMAT binary)");
        await stream.WriteAsync(copy.ToArray());
    }

    private static Gen<byte[]?[]> Sequence(Gen<byte[]?>[] cells) =>
        cells.Aggregate(Gen.Const(Array.Empty<byte[]?>()), (all, next) => Gen.Select(all, next, (some, one) => (byte[]?[])[.. some, one]));
}
