namespace DbSync.Locking;

/// <summary>
/// One key as bytes whose order is the order of the values, so that a lock server compares keys without knowing types. The same bytes
/// are used in Redis and in PostgreSQL's fence table. Values of different kinds never meet, except int and long, and UTC
/// <see cref="DateTime"/> and <see cref="DateTimeOffset"/>, which are the same key when they are the same value.
/// </summary>
/// <remarks>
/// Order: numbers by value; <see cref="Guid"/> as PostgreSQL's uuid (big-endian bytes); text by its UTF-8 bytes, which is PostgreSQL's
/// <c>COLLATE "C"</c> and no other collation; instants by UTC ticks; composite keys part by part, a shorter key standing
/// for all keys it begins. Source of the escaping: the tuple layer of FoundationDB.
/// </remarks>
public readonly struct RangeKey : IEquatable<RangeKey>, IComparable<RangeKey>
{
    /// <summary>The longest encoded key, in bytes (two of them must fit into one index entry of the fence table).</summary>
    public const int BytesMax = 1024;

    private readonly byte[]? _bytes;

    private RangeKey(byte[] bytes, long? integer = null)
    {
        if (bytes.Length > BytesMax)
            throw new DbSyncException(ErrorCodes.InvalidLockRange, $"A lock key is longer than {BytesMax} encoded bytes.",
                "Lock a prefix of the value, or a hash of it.");
        _bytes = bytes;
        Integer = integer;
    }

    /// <summary>The encoded key, without a terminator.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>The value of a one-part integer key: integers are discrete, so <c>(5, 6)</c> is empty and <c>[1, 5]</c> is <c>[1, 6)</c>.</summary>
    internal long? Integer { get; }

    /// <summary>A 32-bit integer; the same key as the 64-bit integer of that value.</summary>
    public static RangeKey From(int value) => From((long)value);

    /// <summary>A 64-bit integer.</summary>
    public static RangeKey From(long value) => new(RangeKeyEncoder.Integer(value), value);

    /// <summary>A UUID, in PostgreSQL's order.</summary>
    public static RangeKey From(Guid value) => new(RangeKeyEncoder.Uuid(value));

    /// <summary>Text, ordered by its UTF-8 bytes (<c>COLLATE "C"</c>).</summary>
    /// <exception cref="DbSyncException">DBS6004: lone surrogates, or longer than <see cref="BytesMax"/> when encoded.</exception>
    public static RangeKey From(string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        return new(RangeKeyEncoder.Text(value));
    }

    /// <summary>Bytes, ordered as <c>bytea</c>.</summary>
    /// <exception cref="DbSyncException">DBS6004: longer than <see cref="BytesMax"/> when encoded.</exception>
    public static RangeKey From(byte[] value)
    {
        ArgumentNullException.ThrowIfNull(value);
        return new(RangeKeyEncoder.Blob(value));
    }

    /// <summary>
    /// An instant when the kind is UTC or local (<c>timestamptz</c>), a wall-clock time when it is unspecified (<c>timestamp</c>); to 100 ns.
    /// </summary>
    public static RangeKey From(DateTime value) => new(RangeKeyEncoder.Time(value));

    /// <summary>An instant, to 100 ns; the offset doesn't count.</summary>
    public static RangeKey From(DateTimeOffset value) => From(value.UtcDateTime);

    /// <summary>A decimal number, by value: 1.0 and 1.00 are one key.</summary>
    public static RangeKey From(decimal value) => new(RangeKeyEncoder.Number(value));

    /// <summary>A key of several parts, compared part by part. A shorter key stands for every longer one that begins with it.</summary>
    /// <exception cref="DbSyncException">DBS6004: no part, or longer than <see cref="BytesMax"/> when encoded.</exception>
    public static RangeKey Composite(params ReadOnlySpan<RangeKey> parts)
    {
        if (parts.Length == 0)
            throw new DbSyncException(ErrorCodes.InvalidLockRange, "A composite lock key has no parts.", "Use KeyRange.All to lock every key.");
        if (parts.Length == 1) return parts[0];
        var bytes = new List<byte>();
        foreach (var part in parts) bytes.AddRange(part.Bytes);
        return new([.. bytes]);
    }

    /// <summary>The key of this value.</summary>
    public static implicit operator RangeKey(int value) => From(value);

    /// <summary>The key of this value.</summary>
    public static implicit operator RangeKey(long value) => From(value);

    /// <summary>The key of this value.</summary>
    public static implicit operator RangeKey(Guid value) => From(value);

    /// <summary>The key of this value.</summary>
    public static implicit operator RangeKey(string value) => From(value);

    /// <summary>The key of this value.</summary>
    public static implicit operator RangeKey(byte[] value) => From(value);

    /// <summary>The key of this value.</summary>
    public static implicit operator RangeKey(DateTime value) => From(value);

    /// <summary>The key of this value.</summary>
    public static implicit operator RangeKey(DateTimeOffset value) => From(value);

    /// <summary>The key of this value.</summary>
    public static implicit operator RangeKey(decimal value) => From(value);

    /// <inheritdoc />
    public int CompareTo(RangeKey other) => Bytes.SequenceCompareTo(other.Bytes);

    /// <inheritdoc />
    public bool Equals(RangeKey other) => Bytes.SequenceEqual(other.Bytes);

    /// <inheritdoc />
    public override bool Equals(object? obj) => obj is RangeKey other && Equals(other);

    /// <inheritdoc />
    public override int GetHashCode()
    {
        var hash = new HashCode();
        hash.AddBytes(Bytes);
        return hash.ToHashCode();
    }

    /// <summary>True when both are the same key.</summary>
    public static bool operator ==(RangeKey left, RangeKey right) => left.Equals(right);

    /// <summary>True when they are different keys.</summary>
    public static bool operator !=(RangeKey left, RangeKey right) => !left.Equals(right);

    /// <summary>True when <paramref name="left"/> sorts first.</summary>
    public static bool operator <(RangeKey left, RangeKey right) => left.CompareTo(right) < 0;

    /// <summary>True when <paramref name="left"/> sorts last.</summary>
    public static bool operator >(RangeKey left, RangeKey right) => left.CompareTo(right) > 0;

    /// <summary>True when <paramref name="left"/> doesn't sort last.</summary>
    public static bool operator <=(RangeKey left, RangeKey right) => left.CompareTo(right) <= 0;

    /// <summary>True when <paramref name="left"/> doesn't sort first.</summary>
    public static bool operator >=(RangeKey left, RangeKey right) => left.CompareTo(right) >= 0;
}
