using System.Buffers.Text;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace DbSync;

/// <summary>
/// PostgreSQL's extended hash functions, bit for bit: the hash of a value here equals the hash of the same value in SQL, so that "which
/// rows are in bucket b" is a WHERE clause. Nothing is allocated. Results are the bits of PostgreSQL's signed <c>bigint</c>.
/// </summary>
/// <remarks>
/// Hash-partitioned tables keep their rows where these functions put them, so PostgreSQL can't change them without breaking upgrades
/// (since 11). Known-answer vectors check that at every start all the same.
/// </remarks>
internal static class PostgresHash
{
    /// <summary><c>hash_bytes_extended</c>; also <c>hashtextextended</c> of UTF-8 under a deterministic collation, and bytea.</summary>
    public static ulong OfBytes(ReadOnlySpan<byte> bytes, ulong seed = 0) => new Lookup3((uint)bytes.Length, seed).Finish(bytes);

    /// <summary><c>hashint2extended</c>, <c>hashint4extended</c> and <c>hashint8extended</c>: equal numbers hash alike.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong OfInteger(long value, ulong seed = 0)
    {
        // The high half is folded in, complemented for negative numbers: so it vanishes for what fits into 32 bits.
        var high = (uint)(value >> 32);
        return OfWord((uint)value ^ (value >= 0 ? high : ~high), seed);
    }

    /// <summary><c>uuid_hash_extended</c>: the 16 bytes as they are written.</summary>
    public static ulong OfUuid(Guid value, ulong seed = 0)
    {
        Span<byte> bytes = stackalloc byte[16];
        value.TryWriteBytes(bytes, bigEndian: true, out _);
        return OfBytes(bytes, seed);
    }

    /// <summary><c>hashcharextended</c>, which PostgreSQL uses for bool.</summary>
    public static ulong OfBoolean(bool value, ulong seed = 0) => OfWord(value ? 1u : 0u, seed);

    /// <summary><c>hash_numeric_extended</c> of a number in PostgreSQL's text form.</summary>
    public static ulong OfNumeric(ReadOnlySpan<byte> text, ulong seed = 0) => NumericHash.Of(text, seed);

    /// <summary>The hash of a cell as a shard stores it, other than NULL.</summary>
    public static ulong OfCell(HashKind kind, Cell cell, ulong seed = 0) => kind switch
    {
        HashKind.Integer => OfInteger(cell.Integer, seed),
        HashKind.Boolean => OfBoolean(cell.Integer != 0, seed),
        HashKind.Text or HashKind.Bytes => OfBytes(cell.Bytes, seed),
        HashKind.PaddedText => OfBytes(cell.Bytes.TrimEnd((byte)' '), seed),
        HashKind.Uuid when Utf8Parser.TryParse(cell.Bytes, out Guid uuid, out _) => OfUuid(uuid, seed),
        HashKind.Date => OfInteger(ShardKeyText.Days(cell.Bytes), seed),
        HashKind.Timestamp => OfInteger(ShardKeyText.Microseconds(cell.Bytes), seed),
        HashKind.Numeric => OfNumeric(cell.Bytes, seed),
        _ => throw ShardKeyText.Malformed(kind),
    };

    /// <summary>The hash of a value as .NET has it; null for a value whose form in PostgreSQL is not known for certain.</summary>
    public static ulong? OfValue(HashKind kind, object value) => (kind, value) switch
    {
        (HashKind.Integer, long or int or short or byte) => OfInteger(Convert.ToInt64(value, CultureInfo.InvariantCulture)),
        (HashKind.Boolean, bool boolean) => OfBoolean(boolean),
        (HashKind.Uuid, Guid guid) => OfUuid(guid),
        (HashKind.Text, string text) => OfBytes(Encoding.UTF8.GetBytes(text)),
        (HashKind.Bytes, byte[] bytes) => OfBytes(bytes),
        _ => null,
    };

    /// <summary>
    /// One step of <c>hash_record_extended</c> (and of <c>hash_array_extended</c>): the hash of the columns before, and of the next one.
    /// It starts from 0, so that the hash of a record of one column is the hash of that column.
    /// </summary>
    /// <remarks>Source: PostgreSQL, src/backend/utils/adt/rowtypes.c; every column is hashed with the record's seed.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Combine(ulong before, ulong next) => unchecked((before * 31) + next);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong OfWord(uint word, ulong seed) => new Lookup3(sizeof(uint), seed).Finish(word, 0, 0);
}
