namespace DbSync.Testing;

/// <summary>Table shapes for tests that need no primary.</summary>
internal static class TestTable
{
    private const uint Int8 = 20, Text = 25;

    /// <summary>A table <c>(id int8, ...)</c> whose other columns are text; the key is <c>id</c>, or none.</summary>
    public static TableSchema Create(string name, int columns = 2, bool hasKey = true, uint oid = 1000, string schema = "public") => new(
        new TableId(oid),
        schema,
        name,
        hasKey ? ReplicaIdentity.Default : ReplicaIdentity.Full,
        [.. Enumerable.Range(0, columns).Select(i => i == 0
            ? new ColumnSchema("id", Int8, -1, "bigint", StorageClass.Integer, OrdersAlike: true)
            : new ColumnSchema($"c{i}", Text, -1, "text", StorageClass.Text))],
        hasKey ? [0] : [],
        [],
        []);

    /// <summary>Encodes a row: long, double, string, byte[], null, or <see cref="Unchanged"/>.</summary>
    public static byte[] Row(params object?[] values)
    {
        var cells = new ChangeBuffer(64);
        foreach (var value in values) Write(cells, value);
        return cells.Written.ToArray();
    }

    /// <summary>Stands for a value that the primary did not send.</summary>
    public static object Unchanged { get; } = new();

    /// <summary>Decodes cells into what <see cref="Row"/> takes; an unchanged value as <see cref="Unchanged"/>.</summary>
    public static List<object?> Values(ReadOnlySpan<byte> cells)
    {
        var values = new List<object?>();
        while (!cells.IsEmpty)
        {
            var cell = Cell.Read(ref cells);
            values.Add(cell.Kind switch
            {
                CellKind.Null => null,
                CellKind.Integer => cell.Integer,
                CellKind.Real => cell.Real,
                CellKind.Text => System.Text.Encoding.UTF8.GetString(cell.Bytes),
                CellKind.Blob => cell.Bytes.ToArray(),
                _ => Unchanged,
            });
        }
        return values;
    }

    public static void Add(this TransactionPart part, ChangeKind kind, TableSchema table, params byte[][] cells)
    {
        var start = part.BeginChange(kind, table);
        foreach (var run in cells) part.Changes.Append(run);
        part.EndChange(start);
    }

    private static void Write(ChangeBuffer cells, object? value)
    {
        switch (value)
        {
            case null:
                cells.WriteNull();
                break;
            case int number:
                cells.WriteInteger(number);
                break;
            case long number:
                cells.WriteInteger(number);
                break;
            case double number:
                cells.WriteReal(number);
                break;
            case string text:
                cells.WriteText(System.Text.Encoding.UTF8.GetBytes(text));
                break;
            case byte[] blob:
                cells.WriteBlob(blob);
                break;
            default:
                cells.WriteUnchanged();
                break;
        }
    }
}
