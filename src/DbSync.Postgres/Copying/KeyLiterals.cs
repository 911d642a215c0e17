using System.Globalization;
using System.Text;

namespace DbSync.Postgres;

/// <summary>Turns a key's stored cells back into texts that PostgreSQL's input functions read, under <see cref="Types.SessionSettings"/>.</summary>
internal static class KeyLiterals
{
    public static string[] Of(TableSchema table, ReadOnlySpan<byte> key)
    {
        var literals = new string[table.Key.Length];
        for (var i = 0; i < literals.Length; i++) literals[i] = Of(Cell.Read(ref key));
        return literals;
    }

    private static string Of(Cell cell) => cell.Kind switch
    {
        CellKind.Integer => cell.Integer.ToString(CultureInfo.InvariantCulture),
        CellKind.Real => Of(cell.Real),
        CellKind.Text => Encoding.UTF8.GetString(cell.Bytes),
        CellKind.Blob => $"\\x{Convert.ToHexStringLower(cell.Bytes)}",
        _ => throw new InvalidOperationException($"A key holds a cell of kind {cell.Kind}."),
    };

    private static string Of(double value) => value switch
    {
        double.PositiveInfinity => "Infinity",
        double.NegativeInfinity => "-Infinity",
        _ => value.ToString("R", CultureInfo.InvariantCulture),
    };
}
