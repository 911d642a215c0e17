using System.Buffers.Binary;

namespace DbSync.Postgres.Types.Codecs;

/// <summary>
/// timestamp and timestamptz: PostgreSQL's ISO text, for the latter in UTC and without the offset. Infinities, years before Christ and
/// beyond 9999 are kept as PostgreSQL prints them.
/// </summary>
internal sealed class TimestampCodec(bool hasZone) : TypeCodec(StorageClass.Text)
{
    public override bool HasBinary => true;

    public override bool DecodeText(ReadOnlySpan<byte> wire, ChangeBuffer target)
    {
        if (PostgresClock.TryKeepInfinity(wire, target)) return false;
        var scanner = new TextScanner(wire);
        var wellFormed = scanner.Digits(4, 6, out var year)
            && scanner.MonthAndDay()
            && scanner.Skip(' ')
            && scanner.TwoDigits(23, out _)
            && scanner.MinutesAndSeconds(out _)
            && (!hasZone || scanner.Skip("+00"u8));
        var beforeChrist = scanner.Skip(" BC"u8);
        MalformedValue.ThrowUnless(wellFormed && scanner.AtEnd && year > 0, "timestamp", wire);
        var representable = year <= 9999 && !beforeChrist;
        target.WriteText(representable && hasZone ? wire[..^3] : wire);
        return representable;
    }

    public override bool DecodeBinary(ReadOnlySpan<byte> wire, ChangeBuffer target)
    {
        MalformedValue.ThrowUnless(wire.Length == 8, "timestamp", wire);
        var microseconds = BinaryPrimitives.ReadInt64BigEndian(wire);
        if (microseconds is long.MinValue or long.MaxValue)
        {
            target.WriteText(microseconds == long.MaxValue ? "infinity"u8 : "-infinity"u8);
            return false;
        }
        var days = Math.DivRem(microseconds, PostgresClock.MicrosecondsPerDay, out var microsecondsOfDay);
        if (microsecondsOfDay < 0)
        {
            days--;
            microsecondsOfDay += PostgresClock.MicrosecondsPerDay;
        }
        var text = target.BeginCell(CellKind.Text, PostgresClock.TextBytesMax);
        var length = PostgresClock.WriteDate(text, days, out var year);
        text[length++] = (byte)' ';
        length += PostgresClock.WriteTime(text[length..], microsecondsOfDay, sevenDigits: false);
        var representable = year is >= 1 and <= 9999;
        if (!representable)
        {
            if (hasZone) Append(text, ref length, "+00"u8);
            if (year <= 0) Append(text, ref length, " BC"u8);
        }
        target.EndCell(length);
        return representable;
    }

    public override string CanonicalSql(string quotedColumn) => hasZone
        ? $"CASE WHEN {quotedColumn} >= '0001-01-01 00:00:00+00' AND {quotedColumn} < '10000-01-01 00:00:00+00' "
          + $"THEN left(({quotedColumn})::text, -3) ELSE ({quotedColumn})::text END"
        : base.CanonicalSql(quotedColumn);

    private static void Append(Span<byte> text, ref int length, ReadOnlySpan<byte> suffix)
    {
        suffix.CopyTo(text[length..]);
        length += suffix.Length;
    }
}
