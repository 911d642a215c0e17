using System.Buffers.Text;
using System.Runtime.CompilerServices;

namespace DbSync.Postgres.Types.Codecs;

/// <summary>PostgreSQL's days and microseconds since 2000-01-01 as text, as its output functions print them.</summary>
internal static class PostgresClock
{
    public const long MicrosecondsPerDay = 86_400_000_000;

    /// <summary>Enough for <c>294276-12-31 23:59:59.999999+00 BC</c> and for any year that fits the wire form.</summary>
    public const int TextBytesMax = 48;

    private const int DaysFromYearZeroTo2000 = 730_425;

    /// <summary>
    /// Writes <c>yyyy-MM-dd</c>; the year gets more digits when it needs them and counts backwards before Christ.
    /// Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
    /// </summary>
    public static int WriteDate(Span<byte> target, long daysSince2000, out int year)
    {
        // Years begin in March here, so that the leap day comes last: day 0 is 0000-03-01.
        var days = daysSince2000 + DaysFromYearZeroTo2000;
        var era = (int)(days / 146_097);
        var dayOfEra = (int)(days - era * 146_097L);
        if (dayOfEra < 0)
        {
            era--;
            dayOfEra += 146_097;
        }
        var yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365;
        var dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
        var shiftedMonth = (5 * dayOfYear + 2) / 153;
        var day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1;
        var month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);

        var shownYear = year > 0 ? year : 1 - year;
        int length;
        if (shownYear <= 9999)
        {
            WriteTwoDigits(target, 0, shownYear / 100);
            WriteTwoDigits(target, 2, shownYear % 100);
            length = 4;
        }
        else
        {
            Utf8Formatter.TryFormat(shownYear, target, out length);
        }
        target[length] = (byte)'-';
        WriteTwoDigits(target, length + 1, month);
        target[length + 3] = (byte)'-';
        WriteTwoDigits(target, length + 4, day);
        return length + 6;
    }

    /// <summary>
    /// Writes <c>HH:mm:ss</c> and, if there are any, the microseconds: as exactly seven decimals, or without trailing zeros.
    /// </summary>
    public static int WriteTime(Span<byte> target, long microsecondsOfDay, bool sevenDigits)
    {
        var seconds = (int)(microsecondsOfDay / 1_000_000);
        var fraction = (int)(microsecondsOfDay % 1_000_000);
        WriteTwoDigits(target, 0, seconds / 3600);
        target[2] = (byte)':';
        WriteTwoDigits(target, 3, seconds / 60 % 60);
        target[5] = (byte)':';
        WriteTwoDigits(target, 6, seconds % 60);
        return 8 + WriteFraction(target[8..], fraction, sevenDigits);
    }

    public static int WriteFraction(Span<byte> target, int microseconds, bool sevenDigits)
    {
        if (microseconds == 0) return 0;
        target[0] = (byte)'.';
        WriteTwoDigits(target, 1, microseconds / 10_000);
        WriteTwoDigits(target, 3, microseconds / 100 % 100);
        WriteTwoDigits(target, 5, microseconds % 100);
        var length = 7;
        if (sevenDigits) target[length++] = (byte)'0';
        else while (target[length - 1] == '0') length--;
        return length;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void WriteTwoDigits(Span<byte> target, int offset, int value)
    {
        var tens = (int)((uint)value / 10);
        target[offset + 1] = (byte)('0' + value - 10 * tens);
        target[offset] = (byte)('0' + tens);
    }

    /// <summary>Keeps <c>infinity</c> or <c>-infinity</c>, which no .NET type holds; false when the value is neither.</summary>
    public static bool TryKeepInfinity(ReadOnlySpan<byte> wire, ChangeBuffer target)
    {
        if (!wire.SequenceEqual("infinity"u8) && !wire.SequenceEqual("-infinity"u8)) return false;
        target.WriteText(wire);
        return true;
    }
}
