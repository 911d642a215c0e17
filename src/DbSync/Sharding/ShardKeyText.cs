namespace DbSync;

/// <summary>Reads the dates and times of shard keys from the text they are stored as, without allocating.</summary>
/// <remarks>
/// Years outside .NET's range and the infinities stay in PostgreSQL's own text (<c>0044-03-15 BC</c>, <c>-infinity</c>), so they are read
/// here too. Day count: Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil.
/// </remarks>
internal static class ShardKeyText
{
    private const long MicrosecondsPerDay = 86_400_000_000;

    /// <summary>Days since 2000-01-01, as PostgreSQL stores a date.</summary>
    public static int Days(ReadOnlySpan<byte> text)
    {
        if (text.SequenceEqual("infinity"u8)) return int.MaxValue;
        if (text.SequenceEqual("-infinity"u8)) return int.MinValue;
        var isBeforeChrist = TakeEra(ref text);
        var days = TakeDays(ref text, isBeforeChrist, HashKind.Date);
        return text.IsEmpty ? (int)days : throw Malformed(HashKind.Date);
    }

    /// <summary>Microseconds since 2000-01-01, as PostgreSQL stores a timestamp.</summary>
    public static long Microseconds(ReadOnlySpan<byte> text)
    {
        if (text.SequenceEqual("infinity"u8)) return long.MaxValue;
        if (text.SequenceEqual("-infinity"u8)) return long.MinValue;
        var isBeforeChrist = TakeEra(ref text);
        if (text.EndsWith("+00"u8)) text = text[..^3];
        var days = TakeDays(ref text, isBeforeChrist, HashKind.Timestamp);
        if (text.Length < 9 || text[3] != ':' || text[6] != ':') throw Malformed(HashKind.Timestamp);
        var seconds = (TakeNumber(text[1..3], HashKind.Timestamp) * 3600)
            + (TakeNumber(text[4..6], HashKind.Timestamp) * 60)
            + TakeNumber(text[7..9], HashKind.Timestamp);
        return (days * MicrosecondsPerDay) + (seconds * 1_000_000) + Fraction(text[9..]);
    }

    public static DbSyncException Malformed(HashKind kind) => new(
        ErrorCodes.MalformedStream,
        $"A shard key value of kind {kind} is not in the form in which shards store it.");

    private static bool TakeEra(ref ReadOnlySpan<byte> text)
    {
        if (!text.EndsWith(" BC"u8)) return false;
        text = text[..^3];
        return true;
    }

    private static long TakeDays(ref ReadOnlySpan<byte> text, bool isBeforeChrist, HashKind kind)
    {
        var dash = text.IndexOf((byte)'-');
        if (dash < 4 || text.Length < dash + 6 || text[dash + 3] != '-') throw Malformed(kind);
        var year = TakeNumber(text[..dash], kind);
        var month = TakeNumber(text.Slice(dash + 1, 2), kind);
        var day = TakeNumber(text.Slice(dash + 4, 2), kind);
        text = text[(dash + 6)..];

        // There is no year 0: 1 BC is the year before 1 AD. A year begins in March here, so that the leap day comes last.
        if (isBeforeChrist) year = 1 - year;
        if (month <= 2) year--;
        var era = (year >= 0 ? year : year - 399) / 400;
        var yearOfEra = year - (era * 400);
        var dayOfYear = (((153 * (month + (month > 2 ? -3 : 9))) + 2) / 5) + day - 1;
        var dayOfEra = (yearOfEra * 365) + (yearOfEra / 4) - (yearOfEra / 100) + dayOfYear;
        const int DaysFromMarchOfYearZeroTo2000 = 730_425;
        return (era * 146_097) + dayOfEra - DaysFromMarchOfYearZeroTo2000;
    }

    /// <summary>Microseconds of a fraction of a second with its point; empty is none. More than six digits are always zeros.</summary>
    private static long Fraction(ReadOnlySpan<byte> text)
    {
        if (text.IsEmpty) return 0;
        if (text[0] != '.' || text.Length is 1 or > 8) throw Malformed(HashKind.Timestamp);
        var ticks = TakeNumber(text[1..], HashKind.Timestamp);
        for (var digits = text.Length - 1; digits < 7; digits++) ticks *= 10;
        return ticks / 10;
    }

    private static long TakeNumber(ReadOnlySpan<byte> digits, HashKind kind)
    {
        var number = 0L;
        foreach (var digit in digits)
        {
            if (digit is < (byte)'0' or > (byte)'9') throw Malformed(kind);
            number = (number * 10) + digit - '0';
        }

        return number;
    }
}
