using System.Runtime.CompilerServices;

namespace DbSync;

/// <summary>Walks the changes of a <see cref="TransactionPart"/> in order, without copying.</summary>
internal ref struct ChangeReader
{
    private readonly TransactionPart _part;
    private ReadOnlySpan<byte> _rest;

    public ChangeReader(TransactionPart part)
    {
        _part = part;
        _rest = part.Changes.Written;
        Table = null!;
    }

    public ChangeKind Kind { get; private set; }

    public TableSchema Table { get; private set; }

    /// <summary>The cells of the change: see <see cref="TransactionPart"/>.</summary>
    public ReadOnlySpan<byte> Cells { get; private set; }

    public bool Read()
    {
        if (_rest.IsEmpty) return false;
        Kind = (ChangeKind)_rest[0];
        Table = _part.Tables[Unsafe.ReadUnaligned<int>(in _rest[1])];
        var length = Unsafe.ReadUnaligned<int>(in _rest[5]);
        Cells = _rest.Slice(TransactionPart.ChangeHeaderBytes, length);
        _rest = _rest[(TransactionPart.ChangeHeaderBytes + length)..];
        return true;
    }

    /// <summary>Splits the cells of a Replace into the old row's identity and the new row.</summary>
    public readonly void Split(out ReadOnlySpan<byte> identity, out ReadOnlySpan<byte> row)
    {
        row = Cells;
        var count = Table.HasKey ? Table.Key.Length : Table.Columns.Length;
        for (var i = 0; i < count; i++) row = row[Cell.SizeOf(row)..];
        identity = Cells[..(Cells.Length - row.Length)];
    }
}
