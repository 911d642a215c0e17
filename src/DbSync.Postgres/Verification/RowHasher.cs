using System.Buffers;
using System.Buffers.Text;
using System.Text;
using DbSync.Postgres.Types;

namespace DbSync.Postgres;

/// <summary>Hashes a shard's rows as <see cref="DigestSql"/> hashes the primary's.</summary>
internal sealed class RowHasher(TableSchema table, TypeCodec[] codecs)
{
    private readonly ArrayBufferWriter<byte> _row = new();
    private readonly ArrayBufferWriter<byte> _key = new();
    private readonly ArrayBufferWriter<byte> _value = new();
    private readonly int[] _starts = new int[table.Columns.Length + 1];

    /// <param name="cells">The row's cells in column order.</param>
    public (long Key, long Row) Hash(ReadOnlySpan<byte> cells)
    {
        _row.ResetWrittenCount();
        for (var i = 0; i < codecs.Length; i++)
        {
            _starts[i] = _row.WrittenCount;
            Append(codecs[i], Cell.Read(ref cells));
        }
        _starts[^1] = _row.WrittenCount;
        var row = (long)PostgresHash.OfBytes(_row.WrittenSpan);
        if (!table.HasKey) return (row, row);
        _key.ResetWrittenCount();
        foreach (var k in table.Key) _key.Write(_row.WrittenSpan[_starts[k].._starts[k + 1]]);
        return ((long)PostgresHash.OfBytes(_key.WrittenSpan), row);
    }

    /// <summary>A row's values in canonical form, null for NULL.</summary>
    public static string?[] Canonical(TypeCodec[] codecs, ReadOnlySpan<byte> cells)
    {
        var values = new string?[codecs.Length];
        var value = new ArrayBufferWriter<byte>();
        for (var i = 0; i < codecs.Length; i++)
        {
            var cell = Cell.Read(ref cells);
            if (cell.Kind == CellKind.Null) continue;
            value.ResetWrittenCount();
            codecs[i].WriteCanonical(cell, value);
            values[i] = Encoding.UTF8.GetString(value.WrittenSpan);
        }
        return values;
    }

    private void Append(TypeCodec codec, Cell cell)
    {
        if (cell.Kind == CellKind.Null)
        {
            _row.Write("N"u8);
            return;
        }
        _value.ResetWrittenCount();
        codec.WriteCanonical(cell, _value);
        Utf8Formatter.TryFormat(_value.WrittenCount, _row.GetSpan(11), out var written);
        _row.Advance(written);
        _row.Write(":"u8);
        _row.Write(_value.WrittenSpan);
    }
}
