using System.Globalization;

namespace DbSync;

/// <summary>
/// A position in PostgreSQL's write-ahead log: a byte offset, printed as PostgreSQL prints <c>pg_lsn</c>
/// (two hexadecimal halves, <c>16/B374D848</c>). <see cref="Zero"/> means "nothing yet".
/// </summary>
/// <remarks>Source: PostgreSQL manual, "pg_lsn Type".</remarks>
/// <param name="Value">The byte offset.</param>
public readonly record struct Lsn(ulong Value) : IComparable<Lsn>
{
    /// <summary>The position before everything.</summary>
    public static readonly Lsn Zero;

    /// <summary>Compares by byte offset.</summary>
    public int CompareTo(Lsn other) => Value.CompareTo(other.Value);

    /// <summary>True when <paramref name="left"/> comes before <paramref name="right"/>.</summary>
    public static bool operator <(Lsn left, Lsn right) => left.Value < right.Value;

    /// <summary>True when <paramref name="left"/> comes after <paramref name="right"/>.</summary>
    public static bool operator >(Lsn left, Lsn right) => left.Value > right.Value;

    /// <summary>True when <paramref name="left"/> does not come after <paramref name="right"/>.</summary>
    public static bool operator <=(Lsn left, Lsn right) => left.Value <= right.Value;

    /// <summary>True when <paramref name="left"/> does not come before <paramref name="right"/>.</summary>
    public static bool operator >=(Lsn left, Lsn right) => left.Value >= right.Value;

    /// <summary>The bytes from <paramref name="right"/> to <paramref name="left"/>; 0 when right is ahead.</summary>
    public static long BytesBetween(Lsn left, Lsn right) => left.Value <= right.Value ? 0 : (long)(left.Value - right.Value);

    /// <summary>The later of two positions.</summary>
    public static Lsn Max(Lsn left, Lsn right) => left >= right ? left : right;

    /// <summary>The earlier of two positions.</summary>
    public static Lsn Min(Lsn left, Lsn right) => left <= right ? left : right;

    /// <summary>Reads PostgreSQL's text form.</summary>
    /// <exception cref="FormatException">The text is not two hexadecimal numbers of up to eight digits with a slash between.</exception>
    public static Lsn Parse(string text) =>
        TryParse(text, out var lsn) ? lsn : throw new FormatException("Not a log position of the form 16/B374D848.");

    /// <summary>Reads PostgreSQL's text form; false when the text is not one.</summary>
    public static bool TryParse(string? text, out Lsn lsn)
    {
        lsn = Zero;
        var slash = text is null ? -1 : text.IndexOf('/', StringComparison.Ordinal);
        if (slash <= 0
            || !uint.TryParse(text.AsSpan(0, slash), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var high)
            || !uint.TryParse(text.AsSpan(slash + 1), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var low))
            return false;
        lsn = new Lsn(((ulong)high << 32) | low);
        return true;
    }

    /// <inheritdoc />
    public override string ToString() => $"{Value >> 32:X}/{(uint)Value:X}";
}
