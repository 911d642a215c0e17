using System.Collections.Immutable;
using System.Text;

namespace DbSync;

/// <summary>
/// Known answers of PostgreSQL's hash functions. They are compared with this process and with the primary before anything is routed:
/// where either gives another answer (a big-endian machine, a changed function), rows would silently be looked for in the wrong shard.
/// </summary>
internal static class HashVectors
{
    /// <summary>The name of the hash, stored with a shard map: another hash would be another name.</summary>
    public const string HashId = "postgresql-extended-0";

    /// <summary>The answers, printed by PostgreSQL 15 (<c>hash_record_extended(ROW(value), 0)</c>).</summary>
    public static readonly ImmutableArray<HashVector> All =
    [
        new(HashKind.Integer, "int2", "0", 4154612158245552303),
        new(HashKind.Integer, "int4", "-42", 8809670066178192187),
        new(HashKind.Integer, "int8", "2147483648", 1977219185673256887),
        new(HashKind.Integer, "int8", "-9223372036854775807", 1352946186504680594),
        new(HashKind.Boolean, "bool", "1", -3670598878359251130),
        new(HashKind.Uuid, "uuid", "00112233-4455-6677-8899-AABBCCDDEEFF", 4462459420613485749),
        new(HashKind.Text, "text", "", -6939563903564495251),
        new(HashKind.Text, "varchar", "Grüße, 世界! 🐘", -4803594291486645926),
        new(HashKind.PaddedText, "char(5)", "ab   ", 2833316173711343549),
        new(HashKind.Bytes, "bytea", "\\x00ff10203040506070809000ab", -1190001036671850470),
        new(HashKind.Date, "date", "1999-12-31", -1888257769727981238),
        new(HashKind.Date, "date", "0044-03-15 BC", -1399449866377390411),
        new(HashKind.Timestamp, "timestamp", "2024-02-29 23:59:59.999999", 2396650806739617636),
        new(HashKind.Timestamp, "timestamptz", "infinity", 1977219185673256887),
        new(HashKind.Numeric, "numeric", "0.00", -1),
        new(HashKind.Numeric, "numeric", "-1234567890.00012300", -4953742890056400407),
        new(HashKind.Numeric, "numeric", "0.000000070", 8980111693697053315),
        new(HashKind.Numeric, "numeric", "NaN", 0),
    ];

    /// <summary>The answer for a record of all the values, in order.</summary>
    public const long RecordExpected = 3765651960435536581;

    /// <summary>Throws unless this process and the primary give the known answers.</summary>
    /// <param name="primary">The primary's answer to each vector of <see cref="All"/>, and then to the record of all of them.</param>
    /// <exception cref="DbSyncException">An answer is different.</exception>
    public static void Check(ReadOnlySpan<long> primary)
    {
        if (primary.Length != All.Length + 1)
            throw new ArgumentException("One answer for each vector and one more are needed.", nameof(primary));
        var record = 0ul;
        for (var at = 0; at < All.Length; at++)
        {
            var computed = All[at].Compute();
            record = PostgresHash.Combine(record, (ulong)computed);
            Compare(All[at].Type, All[at].Expected, computed, primary[at]);
        }

        Compare("record", RecordExpected, (long)record, primary[^1]);
    }

    private static void Compare(string type, long expected, long process, long primary)
    {
        if (process != expected) throw Mismatch("This process", type);
        if (primary != expected) throw Mismatch("The primary", type);
    }

    private static DbSyncException Mismatch(string who, string type) => new(
        ErrorCodes.HashMismatch,
        $"{who} doesn't hash a value of type {type} as PostgreSQL 14 to 18 do on little-endian machines, so rows can't be sharded.",
        "Report it with the versions and the processors of both machines; until then keep the replica in one shard.");
}

/// <summary>One known answer.</summary>
/// <param name="Kind">How the value is hashed.</param>
/// <param name="Type">The value's type on the primary.</param>
/// <param name="Value">The value in PostgreSQL's text form, which is also what a shard stores, or reads to get it.</param>
/// <param name="Expected">The answer.</param>
internal sealed record HashVector(HashKind Kind, string Type, string Value, long Expected)
{
    /// <summary>This process's answer, by way of a stored cell.</summary>
    public long Compute()
    {
        var buffer = new ChangeBuffer(64);
        switch (Kind)
        {
            case HashKind.Integer or HashKind.Boolean:
                buffer.WriteInteger(long.Parse(Value));
                break;
            case HashKind.Bytes:
                buffer.WriteBlob(Convert.FromHexString(Value.AsSpan(2)));
                break;
            default:
                buffer.WriteText(Encoding.UTF8.GetBytes(Value));
                break;
        }

        var encoded = buffer.Written;
        return (long)PostgresHash.OfCell(Kind, Cell.Read(ref encoded));
    }
}
