namespace DbSync;

/// <summary>Finds cells inside an encoded row.</summary>
internal static class RowCells
{
    /// <summary>Appends the key cells of a row, in key order.</summary>
    public static void AppendKey(TableSchema table, ReadOnlySpan<byte> row, ChangeBuffer target)
    {
        foreach (var ordinal in table.Key)
        {
            var rest = row;
            for (var i = 0; i < ordinal; i++) rest = rest[Cell.SizeOf(rest)..];
            target.Append(rest[..Cell.SizeOf(rest)]);
        }
    }

    /// <summary>The ordinal of the cell with the most bytes.</summary>
    public static int Largest(ReadOnlySpan<byte> row)
    {
        var (largest, bytes) = (0, -1);
        for (var i = 0; !row.IsEmpty; i++)
        {
            var size = Cell.SizeOf(row);
            if (size > bytes) (largest, bytes) = (i, size);
            row = row[size..];
        }
        return largest;
    }

    /// <summary>True when some value of the row was not sent, because it is what it was.</summary>
    public static bool HasUnchanged(ReadOnlySpan<byte> row)
    {
        for (; !row.IsEmpty; row = row[Cell.SizeOf(row)..])
            if ((CellKind)row[0] == CellKind.Unchanged) return true;
        return false;
    }

    /// <summary>Appends a row, with what it leaves unchanged taken from its older version.</summary>
    public static void Fill(ReadOnlySpan<byte> row, ReadOnlySpan<byte> old, ChangeBuffer target)
    {
        while (!row.IsEmpty)
        {
            var (size, oldSize) = (Cell.SizeOf(row), Cell.SizeOf(old));
            target.Append((CellKind)row[0] == CellKind.Unchanged ? old[..oldSize] : row[..size]);
            row = row[size..];
            old = old[oldSize..];
        }
    }

    /// <summary>The bytes that the first <paramref name="count"/> cells take.</summary>
    public static int SizeOf(ReadOnlySpan<byte> cells, int count)
    {
        var rest = cells;
        for (var i = 0; i < count; i++) rest = rest[Cell.SizeOf(rest)..];
        return cells.Length - rest.Length;
    }
}
