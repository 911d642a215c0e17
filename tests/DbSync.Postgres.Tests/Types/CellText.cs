using System.Globalization;
using System.Text;

namespace DbSync.Postgres.Tests.Types;

/// <summary>A cell as a test table writes it: its storage class and its value.</summary>
internal static class CellText
{
    public static string Of(ChangeBuffer buffer)
    {
        var encoded = buffer.Written;
        var cell = Cell.Read(ref encoded);
        encoded.Length.ShouldBe(0, "a codec appends exactly one cell");
        return Of(cell);
    }

    public static string Of(Cell cell) => cell.Kind switch
    {
        CellKind.Integer => $"integer {cell.Integer}",
        CellKind.Real => $"real {cell.Real.ToString("R", CultureInfo.InvariantCulture)}",
        CellKind.Text => $"text {Encoding.UTF8.GetString(cell.Bytes)}",
        CellKind.Blob => $"blob {Convert.ToHexString(cell.Bytes)}",
        var kind => kind.ToString(),
    };
}
