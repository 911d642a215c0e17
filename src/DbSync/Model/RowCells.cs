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

    /// <summary>The bytes that the first <paramref name="count"/> cells take.</summary>
    public static int SizeOf(ReadOnlySpan<byte> cells, int count)
    {
        var rest = cells;
        for (var i = 0; i < count; i++) rest = rest[Cell.SizeOf(rest)..];
        return cells.Length - rest.Length;
    }
}
