using System.Buffers.Binary;

namespace DbSync.Postgres.Types.Codecs;

/// <summary>date: <c>yyyy-MM-dd</c>. Infinities, years before Christ and beyond 9999 are kept as PostgreSQL prints them.</summary>
internal sealed class DateCodec() : TypeCodec(StorageClass.Text)
{
    public override bool HasBinary => true;

    public override bool DecodeText(ReadOnlySpan<byte> wire, ChangeBuffer target)
    {
        if (PostgresClock.TryKeepInfinity(wire, target)) return false;
        var scanner = new TextScanner(wire);
        var wellFormed = scanner.Digits(4, 7, out var year) && scanner.MonthAndDay();
        var beforeChrist = scanner.Skip(" BC"u8);
        MalformedValue.ThrowUnless(wellFormed && scanner.AtEnd && year > 0, "date", wire);
        target.WriteText(wire);
        return year <= 9999 && !beforeChrist;
    }

    public override bool DecodeBinary(ReadOnlySpan<byte> wire, ChangeBuffer target)
    {
        MalformedValue.ThrowUnless(wire.Length == 4, "date", wire);
        var days = BinaryPrimitives.ReadInt32BigEndian(wire);
        if (days is int.MinValue or int.MaxValue)
        {
            target.WriteText(days == int.MaxValue ? "infinity"u8 : "-infinity"u8);
            return false;
        }
        var text = target.BeginCell(CellKind.Text, PostgresClock.TextBytesMax);
        var length = PostgresClock.WriteDate(text, days, out var year);
        if (year <= 0)
        {
            " BC"u8.CopyTo(text[length..]);
            length += 3;
        }
        target.EndCell(length);
        return year is >= 1 and <= 9999;
    }
}
