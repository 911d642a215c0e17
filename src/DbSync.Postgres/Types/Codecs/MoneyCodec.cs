namespace DbSync.Postgres.Types.Codecs;

/// <summary>money: the number alone. Two decimals always, as Npgsql reads it and as the pinned lc_monetary prints it.</summary>
internal sealed class MoneyCodec() : TypeCodec(StorageClass.Text, CollationNames.Decimal)
{
    public override bool DecodeText(ReadOnlySpan<byte> wire, ChangeBuffer target)
    {
        var digits = wire;
        var negative = digits.StartsWith("-"u8);
        if (negative) digits = digits[1..];
        MalformedValue.ThrowUnless(digits.StartsWith("$"u8) && digits.Length >= 5 && digits[^3] == '.', "money", wire);
        digits = digits[1..];
        var text = target.BeginCell(CellKind.Text, wire.Length);
        var length = 0;
        if (negative) text[length++] = (byte)'-';
        for (var i = 0; i < digits.Length; i++)
        {
            var c = digits[i];
            if (c == ',') continue;
            MalformedValue.ThrowUnless((uint)(c - '0') <= 9 || i == digits.Length - 3, "money", wire);
            text[length++] = c;
        }
        target.EndCell(length);
        return true;
    }

    public override string CanonicalSql(string quotedColumn) => $"({quotedColumn})::numeric(19, 2)::text";
}
