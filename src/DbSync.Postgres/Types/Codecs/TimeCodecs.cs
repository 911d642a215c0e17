using System.Buffers;
using System.Buffers.Binary;
using System.Text.Json;

namespace DbSync.Postgres.Types.Codecs;

/// <summary>time: <c>HH:mm:ss</c>, or with exactly seven decimals. 24:00:00, which TimeOnly hasn't, is kept as it is.</summary>
internal sealed class TimeCodec() : TypeCodec(StorageClass.Text)
{
    public override bool HasBinary => true;

    public override bool DecodeText(ReadOnlySpan<byte> wire, ChangeBuffer target)
    {
        var scanner = new TextScanner(wire);
        var wellFormed = scanner.TwoDigits(24, out var hours) & scanner.MinutesAndSeconds(out var microseconds) & scanner.AtEnd;
        MalformedValue.ThrowUnless(wellFormed, "time", wire);
        return Store(hours * 3_600_000_000L + microseconds, wire, target);
    }

    public override bool DecodeBinary(ReadOnlySpan<byte> wire, ChangeBuffer target)
    {
        MalformedValue.ThrowUnless(wire.Length == 8, "time", wire);
        return Store(BinaryPrimitives.ReadInt64BigEndian(wire), wire, target);
    }

    public override void WriteCanonical(Cell cell, IBufferWriter<byte> target)
    {
        if (cell.Kind != CellKind.Text) return;
        target.Write(cell.Bytes.Contains((byte)'.') ? cell.Bytes.TrimEnd((byte)'0') : cell.Bytes);
    }

    // EF writes a TimeOnly in JSON with "o": seven decimals, even if they are zeros.
    public override void WriteJson(Cell cell, IBufferWriter<byte> target)
    {
        target.Write("\""u8);
        target.Write(cell.Bytes);
        if (!cell.Bytes.Contains((byte)'.')) target.Write(".0000000"u8);
        target.Write("\""u8);
    }

    public override void ReadJson(ref Utf8JsonReader reader, ChangeBuffer target)
    {
        var text = reader.ValueSpan;
        target.WriteText(text.EndsWith(".0000000"u8) ? text[..^8] : text);
    }

    private static bool Store(long microseconds, ReadOnlySpan<byte> wire, ChangeBuffer target)
    {
        MalformedValue.ThrowUnless((ulong)microseconds <= PostgresClock.MicrosecondsPerDay, "time", wire);
        var text = target.BeginCell(CellKind.Text, PostgresClock.TextBytesMax);
        target.EndCell(PostgresClock.WriteTime(text, microseconds, sevenDigits: true));
        return microseconds < PostgresClock.MicrosecondsPerDay;
    }
}

/// <summary>
/// timetz: PostgreSQL's text. What a DateTimeOffset hasn't (24:00:00, an offset with seconds or beyond 14 hours) makes the column
/// *primary only*.
/// </summary>
internal sealed class TimeWithZoneCodec() : TypeCodec(StorageClass.Text)
{
    public override bool DecodeText(ReadOnlySpan<byte> wire, ChangeBuffer target)
    {
        var scanner = new TextScanner(wire);
        var wellFormed = scanner.TwoDigits(24, out var hours) & scanner.MinutesAndSeconds(out _)
            & (scanner.Skip('+') || scanner.Skip('-')) & scanner.TwoDigits(15, out var offsetHours);
        var offsetMinutes = 0;
        if (scanner.Skip(':')) wellFormed &= scanner.TwoDigits(59, out offsetMinutes);
        var offsetSeconds = scanner.Skip(':');
        if (offsetSeconds) wellFormed &= scanner.TwoDigits(59, out _);
        MalformedValue.ThrowUnless(wellFormed && scanner.AtEnd, "timetz", wire);
        target.WriteText(wire);
        return hours < 24 && !offsetSeconds && offsetHours * 60 + offsetMinutes <= 14 * 60;
    }
}
