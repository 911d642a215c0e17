using System.Runtime.CompilerServices;

namespace DbSync;

/// <summary>A view of one encoded cell. It is valid as long as the buffer it was read from.</summary>
internal readonly ref struct Cell
{
    private readonly ReadOnlySpan<byte> _payload;

    private Cell(CellKind kind, ReadOnlySpan<byte> payload)
    {
        Kind = kind;
        _payload = payload;
    }

    public CellKind Kind { get; }

    public long Integer => Unsafe.ReadUnaligned<long>(in _payload[0]);

    public double Real => Unsafe.ReadUnaligned<double>(in _payload[0]);

    /// <summary>The bytes of a Text (UTF-8) or Blob cell.</summary>
    public ReadOnlySpan<byte> Bytes => _payload;

    /// <summary>Reads the first cell of <paramref name="encoded"/> and moves past it.</summary>
    public static Cell Read(scoped ref ReadOnlySpan<byte> encoded)
    {
        var kind = (CellKind)encoded[0];
        switch (kind)
        {
            case CellKind.Null:
            case CellKind.Unchanged:
                encoded = encoded[1..];
                return new Cell(kind, default);
            case CellKind.Integer:
            case CellKind.Real:
                {
                    var cell = new Cell(kind, encoded.Slice(1, 8));
                    encoded = encoded[9..];
                    return cell;
                }
            case CellKind.Text:
            case CellKind.Blob:
                {
                    var length = Unsafe.ReadUnaligned<int>(in encoded[1]);
                    var cell = new Cell(kind, encoded.Slice(5, length));
                    encoded = encoded[(5 + length)..];
                    return cell;
                }
            default:
                throw new InvalidOperationException($"Cell kind {(byte)kind} is unknown: the change buffer is damaged.");
        }
    }

    /// <summary>The bytes that the first cell of <paramref name="encoded"/> takes.</summary>
    public static int SizeOf(ReadOnlySpan<byte> encoded) => (CellKind)encoded[0] switch
    {
        CellKind.Null or CellKind.Unchanged => 1,
        CellKind.Integer or CellKind.Real => 9,
        _ => 5 + Unsafe.ReadUnaligned<int>(in encoded[1]),
    };

    /// <summary>
    /// Compares two cells as SQLite's BINARY collation orders them within one storage class (numbers by value, text and blobs by bytes).
    /// </summary>
    public static int Compare(Cell left, Cell right)
    {
        if (left.Kind != right.Kind) return left.Kind.CompareTo(right.Kind);
        return left.Kind switch
        {
            CellKind.Integer => left.Integer.CompareTo(right.Integer),
            CellKind.Real => left.Real.CompareTo(right.Real),
            CellKind.Text or CellKind.Blob => left.Bytes.SequenceCompareTo(right.Bytes),
            _ => 0,
        };
    }
}
