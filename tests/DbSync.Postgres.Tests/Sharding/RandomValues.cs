using DbSync.Postgres.Types;

namespace DbSync.Postgres.Tests.Sharding;

/// <summary>Random values of one type as SQL: <c>i</c> counts the rows, <c>h</c> is a random text of 32 hexadecimal digits.</summary>
/// <param name="Kind">How the values are hashed.</param>
/// <param name="Type">Their type.</param>
/// <param name="Value">The expression of a value.</param>
internal sealed record RandomValues(HashKind Kind, string Type, string Value)
{
    private const string Words = "translate(left(repeat(h, 4), i % 100), 'abcdef', 'äß€🐘漢 ')";

    public static readonly RandomValues[] All =
    [
        new(HashKind.Integer, "int2", "(('x' || h)::bit(16)::int4 - 32768)"),
        new(HashKind.Integer, "int4", "('x' || h)::bit(32)::int4 >> (i % 32)"),
        new(HashKind.Integer, "int8", "('x' || h)::bit(64)::int8 >> (i % 64)"),
        new(HashKind.Integer, "oid", "('x' || h)::bit(32)::int8"),
        new(HashKind.Boolean, "bool", "i % 2 = 0"),
        new(HashKind.Uuid, "uuid", "h"),
        new(HashKind.Text, "text", Words),
        new(HashKind.Text, "varchar(60)", $"left({Words}, 60)"),
        new(HashKind.PaddedText, "char(20)", $"left({Words}, 20)"),
        new(HashKind.Bytes, "bytea", "decode(left(repeat(h, 4), i % 64 * 2), 'hex')"),
        new(HashKind.Date, "date", "date '2000-01-01' + (('x' || h)::bit(21)::int4 - 700000)"),
        new(HashKind.Date, "date", "CASE i % 3 WHEN 0 THEN 'infinity' WHEN 1 THEN '-infinity' ELSE '4713-01-01 BC' END"),
        new(HashKind.Timestamp, "timestamp", "timestamp '2000-01-01' + ('x' || h)::bit(57)::int8 / (1 + i % 9) * interval '1 microsecond'"),
        new(HashKind.Timestamp, "timestamptz", "timestamptz '0005-01-01' + ('x' || h)::bit(58)::int8 * interval '1 microsecond'"),
        new(HashKind.Timestamp, "timestamptz", "timestamptz 'epoch' - ('x' || h)::bit(57)::int8 * interval '1 microsecond'"),
        new(HashKind.Timestamp, "timestamp", "CASE i % 2 WHEN 0 THEN 'infinity' ELSE '-infinity' END"),
        new(
            HashKind.Numeric,
            "numeric",
            "(('x' || h)::bit(64)::int8::text || repeat('0', i % 23) || '.' || repeat('0', i % 19) || i)::numeric"),
        new(
            HashKind.Numeric,
            "numeric",
            "(('x' || h)::bit(8)::int4::text || CASE i % 3 WHEN 0 THEN '' ELSE '.' || repeat('0', i % 31) END)::numeric"),
        new(HashKind.Numeric, "numeric(20,6)", "('x' || h)::bit(45)::int8 / 1000003.0"),
        new(
            HashKind.Numeric,
            "numeric",
            "('0.' || repeat('0', i % 9) || translate(left(repeat(h, 4), i % 120), 'abcdef', '000000') || '0')::numeric"),
        new(HashKind.Numeric, "numeric", "CASE i % 3 WHEN 0 THEN 'NaN' WHEN 1 THEN 'Infinity' ELSE '-Infinity' END"),
    ];

    /// <summary>The codec that stores them, which the stream and the copy use.</summary>
    public TypeCodec Codec => TypeTable.System[Type.Split('(')[0] is var name && name == "char" ? "bpchar" : name];

    /// <summary>Rows of (text as the stream carries it, hash of the record of the value, hash with another seed).</summary>
    public string Query(int rows) => $"""
        SELECT format('%s', v), hash_record_extended(ROW(v), 0), hash_record_extended(ROW(v), 81985529216486895)
        FROM (SELECT ({Value})::{Type} AS v
              FROM (SELECT i, md5('{Type}' || i || random()) AS h FROM generate_series(1, {rows}) AS i) AS random) AS valued
        """;
}
