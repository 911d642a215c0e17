using System.Buffers.Binary;

namespace DbSync.Sqlite;

/// <summary>
/// How many rows each table of a shard has, in one value that lies beside the position: a small commit then writes one page less, and does
/// not write a table's whole description again.
/// </summary>
internal sealed class RowCounts
{
    private const int EntryBytes = 12; // the table's id (4), its rows (8)

    private readonly Dictionary<uint, long> _rows = [];
    private readonly ChangeBuffer _cell = new(256);

    /// <summary>True when a count differs from what was read or written last.</summary>
    public bool HasChanged { get; private set; }

    public long this[uint table] => _rows.GetValueOrDefault(table);

    public void Add(TableId table, long delta) => Set(table.Oid, _rows.GetValueOrDefault(table.Oid) + delta);

    public void Clear(TableId table) => Set(table.Oid, 0);

    public void Forget(uint table) => HasChanged |= _rows.Remove(table);

    /// <summary>Replaces everything by what the file holds.</summary>
    public void Read(ReadOnlySpan<byte> value)
    {
        _rows.Clear();
        for (; value.Length >= EntryBytes; value = value[EntryBytes..])
            _rows[BinaryPrimitives.ReadUInt32LittleEndian(value)] = BinaryPrimitives.ReadInt64LittleEndian(value[4..]);
        HasChanged = false;
    }

    /// <summary>The value to write; valid until the next call.</summary>
    public Cell Write()
    {
        _cell.Clear();
        var value = _cell.BeginCell(CellKind.Blob, _rows.Count * EntryBytes);
        foreach (var (table, rows) in _rows)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(value, table);
            BinaryPrimitives.WriteInt64LittleEndian(value[4..], rows);
            value = value[EntryBytes..];
        }
        _cell.EndCell(_rows.Count * EntryBytes);
        HasChanged = false;
        var written = _cell.Written;
        return Cell.Read(ref written);
    }

    private void Set(uint table, long rows)
    {
        _rows[table] = rows;
        HasChanged = true;
    }
}
