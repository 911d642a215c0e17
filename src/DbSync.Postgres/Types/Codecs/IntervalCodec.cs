using System.Buffers.Binary;
using System.Buffers.Text;

namespace DbSync.Postgres.Types.Codecs;

/// <summary>
/// interval: .NET ticks. PostgreSQL finds a day and 24 hours equal, and so do ticks. Months, infinities (PostgreSQL 17) and spans beyond a
/// TimeSpan are kept as text; none looks like a number, so INTEGER affinity leaves it alone.
/// </summary>
internal sealed class IntervalCodec() : TypeCodec(StorageClass.Integer)
{
    public override bool RoundTrips => false;

    private const int TextBytesMax = 96;

    public override bool HasBinary => true;

    public override bool DecodeText(ReadOnlySpan<byte> wire, ChangeBuffer target)
    {
        if (PostgresClock.TryKeepInfinity(wire, target)) return false;
        var hasMonths = false;
        Int128 microseconds = 0;
        var scanner = new TextScanner(wire);
        do
        {
            var negative = scanner.Skip('-');
            if (!negative) scanner.Skip('+');
            MalformedValue.ThrowUnless(scanner.Digits(1, 10, out var number), "interval", wire);
            Int128 amount;
            if (scanner.Skip(' '))
            {
                var isMonths = scanner.Skip("year"u8) || scanner.Skip("mon"u8);
                MalformedValue.ThrowUnless(isMonths || scanner.Skip("day"u8), "interval", wire);
                scanner.Skip('s');
                MalformedValue.ThrowUnless(scanner.AtEnd || scanner.Skip(' '), "interval", wire);
                hasMonths |= isMonths;
                amount = isMonths ? 0 : (Int128)number * PostgresClock.MicrosecondsPerDay;
            }
            else
            {
                MalformedValue.ThrowUnless(scanner.MinutesAndSeconds(out var rest) && scanner.AtEnd, "interval", wire);
                amount = (Int128)number * 3_600_000_000 + rest;
            }
            microseconds += negative ? -amount : amount;
        }
        while (!scanner.AtEnd);

        if (!hasMonths && TryStore(microseconds, target)) return true;
        target.WriteText(wire);
        return false;
    }

    public override bool DecodeBinary(ReadOnlySpan<byte> wire, ChangeBuffer target)
    {
        MalformedValue.ThrowUnless(wire.Length == 16, "interval", wire);
        var microseconds = BinaryPrimitives.ReadInt64BigEndian(wire);
        var days = BinaryPrimitives.ReadInt32BigEndian(wire[8..]);
        var months = BinaryPrimitives.ReadInt32BigEndian(wire[12..]);
        if (months == 0 && TryStore((Int128)days * PostgresClock.MicrosecondsPerDay + microseconds, target)) return true;
        var text = target.BeginCell(CellKind.Text, TextBytesMax);
        target.EndCell(Write(text, months, days, microseconds));
        return false;
    }

    // extract() is exact here: PostgreSQL 14 and later compute it in numeric.
    public override string CanonicalSql(string quotedColumn) =>
        $"""
        CASE WHEN isfinite({quotedColumn}) THEN (
            SELECT CASE WHEN f.months = 0 AND f.ticks BETWEEN -9223372036854775808 AND 9223372036854775807
                        THEN trunc(f.ticks)::text ELSE ({quotedColumn})::text END
            FROM (SELECT abs(extract(year FROM {quotedColumn})) + abs(extract(month FROM {quotedColumn})) AS months,
                         (extract(day FROM {quotedColumn}) * 86400000000 + extract(hour FROM {quotedColumn}) * 3600000000
                          + extract(minute FROM {quotedColumn}) * 60000000 + extract(microsecond FROM {quotedColumn})) * 10 AS ticks) AS f
        ) ELSE ({quotedColumn})::text END
        """;

    private static bool TryStore(Int128 microseconds, ChangeBuffer target)
    {
        var ticks = microseconds * TimeSpan.TicksPerMicrosecond;
        if (ticks < long.MinValue || ticks > long.MaxValue) return false;
        target.WriteInteger((long)ticks);
        return true;
    }

    /// <summary>PostgreSQL's text under IntervalStyle=postgres: a unit after a negative one shows its plus sign.</summary>
    /// <remarks>The two infinities are PostgreSQL 17's; before, the same bytes were the longest span of all, which nobody stores.</remarks>
    private static int Write(Span<byte> text, int months, int days, long microseconds)
    {
        switch (months, days, microseconds)
        {
            case (int.MaxValue, int.MaxValue, long.MaxValue):
                "infinity"u8.CopyTo(text);
                return 8;
            case (int.MinValue, int.MinValue, long.MinValue):
                "-infinity"u8.CopyTo(text);
                return 9;
        }
        var length = 0;
        var afterNegative = false;
        WriteUnit(text, months / 12, "year"u8, ref length, ref afterNegative);
        WriteUnit(text, months % 12, "mon"u8, ref length, ref afterNegative);
        WriteUnit(text, days, "day"u8, ref length, ref afterNegative);
        if (microseconds == 0 && length > 0) return length;
        if (length > 0) text[length++] = (byte)' ';
        if (microseconds < 0) text[length++] = (byte)'-';
        else if (afterNegative) text[length++] = (byte)'+';
        var magnitude = microseconds < 0 ? (ulong)-(Int128)microseconds : (ulong)microseconds;
        var hours = magnitude / 3_600_000_000;
        var rest = (long)(magnitude % 3_600_000_000);
        if (hours < 10) text[length++] = (byte)'0';
        Utf8Formatter.TryFormat(hours, text[length..], out var written);
        length += written;
        text[length++] = (byte)':';
        PostgresClock.WriteTwoDigits(text, length, (int)(rest / 60_000_000));
        text[length + 2] = (byte)':';
        PostgresClock.WriteTwoDigits(text, length + 3, (int)(rest / 1_000_000 % 60));
        length += 5;
        return length + PostgresClock.WriteFraction(text[length..], (int)(rest % 1_000_000), sevenDigits: false);
    }

    private static void WriteUnit(Span<byte> text, int value, ReadOnlySpan<byte> unit, ref int length, ref bool afterNegative)
    {
        if (value == 0) return;
        if (length > 0) text[length++] = (byte)' ';
        if (afterNegative && value > 0) text[length++] = (byte)'+';
        Utf8Formatter.TryFormat(value, text[length..], out var written);
        length += written;
        text[length++] = (byte)' ';
        unit.CopyTo(text[length..]);
        length += unit.Length;
        if (value != 1) text[length++] = (byte)'s';
        afterNegative = value < 0;
    }
}
