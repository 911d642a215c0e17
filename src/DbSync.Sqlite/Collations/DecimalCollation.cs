namespace DbSync.Sqlite.Collations;

/// <summary>
/// EF_DECIMAL: the order of PostgreSQL's numeric over its text, at any length and scale. 1 and 1.00 are equal, -Infinity comes first, then
/// the numbers, Infinity, and NaN, which equals itself. EF's own function of this name parses a .NET decimal under the current culture.
/// </summary>
/// <remarks>Text that is no number comes last, by its bytes: SQLite needs a total order whatever it finds in a file.</remarks>
internal static class DecimalCollation
{
    public const string Name = "EF_DECIMAL";

    private enum Rank
    {
        NegativeInfinity,
        Number,
        Infinity,
        NaN,
        NotNumeric,
    }

    public static int Compare(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        var leftRank = Parse(left, out var a);
        var rightRank = Parse(right, out var b);
        if (leftRank != rightRank) return leftRank.CompareTo(rightRank);
        return leftRank switch
        {
            Rank.Number => Compare(a, b),
            Rank.NotNumeric => left.SequenceCompareTo(right),
            _ => 0,
        };
    }

    private static int Compare(Number a, Number b)
    {
        if (a.Sign != b.Sign) return a.Sign.CompareTo(b.Sign);
        if (a.Sign == 0) return 0;
        var magnitude = a.Whole.Length.CompareTo(b.Whole.Length);
        if (magnitude == 0) magnitude = a.Whole.SequenceCompareTo(b.Whole);
        if (magnitude == 0) magnitude = a.Fraction.SequenceCompareTo(b.Fraction);
        return a.Sign * magnitude;
    }

    private static Rank Parse(ReadOnlySpan<byte> text, out Number number)
    {
        number = default;
        var negative = text.StartsWith("-"u8);
        var digits = negative ? text[1..] : text;
        if (digits.IsEmpty) return Rank.NotNumeric;
        if (digits[0] is (byte)'I' or (byte)'N')
        {
            if (digits.SequenceEqual("Infinity"u8)) return negative ? Rank.NegativeInfinity : Rank.Infinity;
            return text.SequenceEqual("NaN"u8) ? Rank.NaN : Rank.NotNumeric;
        }

        var point = digits.IndexOf((byte)'.');
        var whole = point < 0 ? digits : digits[..point];
        var fraction = point < 0 ? default : digits[(point + 1)..];
        if (whole.IsEmpty && fraction.IsEmpty
            || whole.IndexOfAnyExceptInRange((byte)'0', (byte)'9') >= 0
            || fraction.IndexOfAnyExceptInRange((byte)'0', (byte)'9') >= 0)
            return Rank.NotNumeric;
        whole = whole.TrimStart((byte)'0');
        fraction = fraction.TrimEnd((byte)'0');
        number = new Number(whole.IsEmpty && fraction.IsEmpty ? 0 : negative ? -1 : 1, whole, fraction);
        return Rank.Number;
    }

    /// <summary>A number without the zeros that don't count; digits of equal length then compare as bytes.</summary>
    private readonly ref struct Number(int sign, ReadOnlySpan<byte> whole, ReadOnlySpan<byte> fraction)
    {
        public int Sign { get; } = sign;

        public ReadOnlySpan<byte> Whole { get; } = whole;

        public ReadOnlySpan<byte> Fraction { get; } = fraction;
    }
}
