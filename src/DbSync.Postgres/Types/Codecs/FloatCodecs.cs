using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Text.Json;

namespace DbSync.Postgres.Types.Codecs;

/// <summary>
/// float4 and float8. Infinities are reals; NaN is kept as text, because SQLite stores a NaN as NULL.
/// </summary>
/// <remarks>
/// A column with REAL affinity keeps the text <c>NaN</c> (it doesn't look like a number), but writes a real without a fraction as an
/// integer, which loses the sign of -0.0. PostgreSQL finds -0.0 and 0.0 equal, so the canonical form has no negative zero.
/// </remarks>
internal abstract class FloatCodec(string type) : TypeCodec(StorageClass.Real)
{
    protected const NumberStyles Styles = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;

    public override bool HasBinary => true;

    protected string Type { get; } = type;

    public override string CanonicalSql(string quotedColumn) =>
        $"CASE WHEN {quotedColumn} = 'NaN' THEN 'NaN' WHEN {quotedColumn} = 0 THEN '0000000000000000' "
        + $"ELSE encode(float8send(({quotedColumn})::float8), 'hex') END";

    public override void WriteCanonical(Cell cell, IBufferWriter<byte> target)
    {
        if (cell.Kind != CellKind.Real)
        {
            base.WriteCanonical(cell, target);
            return;
        }
        Span<byte> bits = stackalloc byte[8];
        BinaryPrimitives.WriteDoubleBigEndian(bits, cell.Real == 0 ? 0 : cell.Real);
        Convert.TryToHexStringLower(bits, target.GetSpan(16), out var written);
        target.Advance(written);
    }

    protected static bool Store(double value, ChangeBuffer target)
    {
        if (double.IsNaN(value))
        {
            target.WriteText("NaN"u8);
            return false;
        }
        target.WriteReal(value);
        return true;
    }

    /// <summary>The three values that aren't written in digits; .NET's own spellings of them must not be accepted by chance.</summary>
    protected static bool TrySpecial(ReadOnlySpan<byte> wire, out double value)
    {
        value = 0;
        if (wire.IsEmpty || wire[^1] is >= (byte)'0' and <= (byte)'9') return false;
        if (wire.SequenceEqual("NaN"u8)) value = double.NaN;
        else if (wire.SequenceEqual("Infinity"u8)) value = double.PositiveInfinity;
        else if (wire.SequenceEqual("-Infinity"u8)) value = double.NegativeInfinity;
        else return false;
        return true;
    }

    protected static bool EndsInDigit(ReadOnlySpan<byte> wire) => !wire.IsEmpty && wire[^1] is >= (byte)'0' and <= (byte)'9';
}

/// <summary>float8: the shortest text that reads back to the same double.</summary>
internal sealed class Float8Codec() : FloatCodec("float8")
{
    public override bool DecodeText(ReadOnlySpan<byte> wire, ChangeBuffer target)
    {
        if (!TrySpecial(wire, out var value))
        {
            MalformedValue.ThrowUnless(
                EndsInDigit(wire) && double.TryParse(wire, Styles, CultureInfo.InvariantCulture, out value), Type, wire);
        }
        return Store(value, target);
    }

    public override bool DecodeBinary(ReadOnlySpan<byte> wire, ChangeBuffer target)
    {
        MalformedValue.ThrowUnless(wire.Length == 8, Type, wire);
        return Store(BinaryPrimitives.ReadDoubleBigEndian(wire), target);
    }

    public override void WriteJson(Cell cell, IBufferWriter<byte> target)
    {
        cell.Real.TryFormat(target.GetSpan(32), out var written, default, CultureInfo.InvariantCulture);
        target.Advance(written);
    }

    public override void ReadJson(ref Utf8JsonReader reader, ChangeBuffer target) => target.WriteReal(reader.GetDouble());
}

/// <summary>float4: read as a float and widened, which is not what reading the same text as a double gives.</summary>
internal sealed class Float4Codec() : FloatCodec("float4")
{
    public override bool DecodeText(ReadOnlySpan<byte> wire, ChangeBuffer target)
    {
        if (!TrySpecial(wire, out var value))
        {
            var single = 0f;
            MalformedValue.ThrowUnless(
                EndsInDigit(wire) && float.TryParse(wire, Styles, CultureInfo.InvariantCulture, out single), Type, wire);
            value = single;
        }
        return Store(value, target);
    }

    public override bool DecodeBinary(ReadOnlySpan<byte> wire, ChangeBuffer target)
    {
        MalformedValue.ThrowUnless(wire.Length == 4, Type, wire);
        return Store(BinaryPrimitives.ReadSingleBigEndian(wire), target);
    }

    public override void WriteJson(Cell cell, IBufferWriter<byte> target)
    {
        ((float)cell.Real).TryFormat(target.GetSpan(32), out var written, default, CultureInfo.InvariantCulture);
        target.Advance(written);
    }

    public override void ReadJson(ref Utf8JsonReader reader, ChangeBuffer target) => target.WriteReal(reader.GetSingle());
}
