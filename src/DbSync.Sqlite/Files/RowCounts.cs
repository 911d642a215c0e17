using System.Buffers.Binary;

namespace DbSync.Sqlite;

/// <summary>
/// How many rows each table of a shard has, in one value that lies beside the position: a small commit then writes one page less, and does
/// not write a table's whole description again.
/// </summary>
internal sealed class RowCounts
{
    private const int EntryBytes = 16; // the table's key, its rows

    private readonly Dictionary<long, long> _rows = [];
    private readonly ChangeBuffer _cell = new(256);

    /// <summary>True when a count differs from what was read or written last.</summary>
    public bool HasChanged { get; private set; }

    public long this[long table] => _rows.GetValueOrDefault(table);

    public void Add(TableId table, long delta) => Set(table.Key, _rows.GetValueOrDefault(table.Key) + delta);

    public void Clear(TableId table) => Set(table.Key, 0);

    public void Forget(long table) => HasChanged |= _rows.Remove(table);

    public void Rename(TableId from, TableId to)
    {
        if (_rows.Remove(from.Key, out var rows)) Set(to.Key, rows);
    }

    /// <summary>Replaces everything by what the file holds.</summary>
    public void Read(ReadOnlySpan<byte> value)
    {
        _rows.Clear();
        for (; value.Length >= EntryBytes; value = value[EntryBytes..])
            _rows[BinaryPrimitives.ReadInt64LittleEndian(value)] = BinaryPrimitives.ReadInt64LittleEndian(value[8..]);
        HasChanged = false;
    }

    /// <summary>The value to write; valid until the next call.</summary>
    public Cell Write()
    {
        _cell.Clear();
        var value = _cell.BeginCell(CellKind.Blob, _rows.Count * EntryBytes);
        foreach (var (table, rows) in _rows)
        {
            BinaryPrimitives.WriteInt64LittleEndian(value, table);
            BinaryPrimitives.WriteInt64LittleEndian(value[8..], rows);
            value = value[EntryBytes..];
        }
        _cell.EndCell(_rows.Count * EntryBytes);
        HasChanged = false;
        var written = _cell.Written;
        return Cell.Read(ref written);
    }

    private void Set(long table, long rows)
    {
        _rows[table] = rows;
        HasChanged = true;
    }
}
