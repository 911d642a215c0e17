using System.Buffers;
using System.Buffers.Text;
using System.Text.Json;

namespace DbSync.Postgres.Types.Codecs;

/// <summary>
/// T[]: the JSON array that EF Core's SQLite provider binds for a collection. More dimensions, other lower bounds and elements that have no
/// place in the contract keep PostgreSQL's text; it ends in <c>}</c>, a JSON array in <c>]</c>.
/// </summary>
/// <remarks>
/// Two element forms differ from what EF would bind, as their columns do: a numeric keeps its scale, an interval is ticks.
/// </remarks>
internal sealed class ArrayCodec(TypeCodec element) : TypeCodec(StorageClass.Text)
{
    public override bool RoundTrips => false;

    public override bool DecodeText(ReadOnlySpan<byte> wire, ChangeBuffer target)
    {
        if (!ArrayTextReader.IsPlain(wire))
        {
            target.WriteText(wire);
            return false;
        }
        var scratch = ArrayScratch.Rent();
        var representable = true;
        scratch.Result.Write("["u8);
        var reader = new ArrayTextReader(wire, scratch.Unescaped);
        for (var first = true; reader.Read(); first = false)
        {
            if (!first) scratch.Result.Write(","u8);
            if (reader.IsNull)
            {
                scratch.Result.Write("null"u8);
                continue;
            }
            scratch.Element.Clear();
            // The rest is read even when the text will be kept: malformed bytes must not get into a shard.
            representable &= element.DecodeText(reader.Element, scratch.Element) && TryWriteJson(scratch.ElementCell, scratch.Result);
        }
        scratch.Result.Write("]"u8);
        target.WriteText(representable ? scratch.Result.WrittenSpan : wire);
        scratch.Return();
        return representable;
    }

    /// <summary>Each element's canonical form after its length in characters, so that no two arrays share a text; N for NULL.</summary>
    public override string CanonicalSql(string quotedColumn) =>
        $"""
        CASE WHEN {quotedColumn} IS NULL THEN NULL
             WHEN array_ndims({quotedColumn}) > 1 OR array_lower({quotedColumn}, 1) <> 1 THEN ({quotedColumn})::text
             ELSE (SELECT coalesce(string_agg(coalesce(char_length(c.v)::text || ':' || c.v, 'N'), '' ORDER BY c.i), '')
                   FROM (SELECT {element.CanonicalSql("u.e")} AS v, u.i FROM unnest({quotedColumn}) WITH ORDINALITY AS u(e, i)) AS c)
        END
        """;

    public override void WriteCanonical(Cell cell, IBufferWriter<byte> target)
    {
        if (cell.Kind != CellKind.Text) return;
        var isJson = cell.Bytes[^1] == ']';
        if (!isJson && !ArrayTextReader.IsPlain(cell.Bytes))
        {
            target.Write(cell.Bytes);
            return;
        }
        var scratch = ArrayScratch.Rent();
        if (isJson) WriteCanonicalJson(cell.Bytes, scratch, target);
        else WriteCanonicalText(cell.Bytes, scratch, target);
        scratch.Return();
    }

    // An infinity is a fine column of its own, but JSON has no such number.
    private bool TryWriteJson(Cell cell, IBufferWriter<byte> target)
    {
        if (cell.Kind == CellKind.Real && !double.IsFinite(cell.Real)) return false;
        element.WriteJson(cell, target);
        return true;
    }

    private void WriteCanonicalJson(ReadOnlySpan<byte> json, ArrayScratch scratch, IBufferWriter<byte> target)
    {
        var reader = new Utf8JsonReader(json);
        reader.Read();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType == JsonTokenType.Null)
            {
                target.Write("N"u8);
                continue;
            }
            scratch.Element.Clear();
            element.ReadJson(ref reader, scratch.Element);
            WriteCanonicalElement(scratch, target);
        }
    }

    private void WriteCanonicalText(ReadOnlySpan<byte> text, ArrayScratch scratch, IBufferWriter<byte> target)
    {
        var reader = new ArrayTextReader(text, scratch.Unescaped);
        while (reader.Read())
        {
            if (reader.IsNull)
            {
                target.Write("N"u8);
                continue;
            }
            scratch.Element.Clear();
            element.DecodeText(reader.Element, scratch.Element);
            WriteCanonicalElement(scratch, target);
        }
    }

    private void WriteCanonicalElement(ArrayScratch scratch, IBufferWriter<byte> target)
    {
        scratch.Result.ResetWrittenCount();
        element.WriteCanonical(scratch.ElementCell, scratch.Result);
        var canonical = scratch.Result.WrittenSpan;
        var characters = canonical.Length;
        foreach (var b in canonical) characters -= (b & 0xC0) == 0x80 ? 1 : 0;
        Utf8Formatter.TryFormat(characters, target.GetSpan(10), out var written);
        target.Advance(written);
        target.Write(":"u8);
        target.Write(canonical);
    }
}
