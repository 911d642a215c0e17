namespace DbSync.Locking;

/// <summary>
/// A non-empty range of keys. Inside it is always half-open, <c>[Low, High)</c>, between two encoded bounds; ranges that only touch
/// don't overlap. Integers are discrete: <c>[1, 5]</c> is <c>[1, 6)</c>, and <c>(5, 6)</c> is refused as empty.
/// </summary>
public readonly struct KeyRange : IEquatable<KeyRange>
{
    private readonly byte[]? _low;
    private readonly byte[]? _high;

    private KeyRange(byte[] low, byte[] high)
    {
        if (low.AsSpan().SequenceCompareTo(high) >= 0)
            throw new DbSyncException(ErrorCodes.InvalidLockRange, "A lock range is empty: its low end is not below its high end.",
                "Swap the ends, or use KeyRange.Single for one key.");
        _low = low;
        _high = high;
    }

    /// <summary>The encoded low bound, inclusive.</summary>
    public ReadOnlySpan<byte> Low => LowBytes;

    /// <summary>The encoded high bound, exclusive.</summary>
    public ReadOnlySpan<byte> High => HighBytes;

    internal byte[] LowBytes => _low ?? throw NotMade();

    internal byte[] HighBytes => _high ?? throw NotMade();

    /// <summary>Every key.</summary>
    public static KeyRange All { get; } = new([RangeKeyEncoder.Before], [RangeKeyEncoder.After]);

    /// <summary>From <paramref name="low"/> (included) to <paramref name="high"/> (not included).</summary>
    /// <exception cref="DbSyncException">DBS6004: the range is empty.</exception>
    public static KeyRange HalfOpen(RangeKey low, RangeKey high) => new(At(low), At(high));

    /// <summary>From <paramref name="low"/> to <paramref name="high"/>, both included.</summary>
    /// <exception cref="DbSyncException">DBS6004: the range is empty.</exception>
    public static KeyRange Closed(RangeKey low, RangeKey high) => new(At(low), Past(high));

    /// <summary>Between <paramref name="low"/> and <paramref name="high"/>, neither included.</summary>
    /// <exception cref="DbSyncException">DBS6004: the range is empty.</exception>
    public static KeyRange Open(RangeKey low, RangeKey high) => new(Past(low), At(high));

    /// <summary>Above <paramref name="low"/> (not included) up to <paramref name="high"/> (included).</summary>
    /// <exception cref="DbSyncException">DBS6004: the range is empty.</exception>
    public static KeyRange OpenClosed(RangeKey low, RangeKey high) => new(Past(low), Past(high));

    /// <summary>One key; of a composite key's first parts, every key that begins with them.</summary>
    public static KeyRange Single(RangeKey key) => Closed(key, key);

    /// <summary><paramref name="low"/> and everything after it.</summary>
    public static KeyRange AtLeast(RangeKey low) => new(At(low), All.HighBytes);

    /// <summary>Everything after <paramref name="low"/>.</summary>
    public static KeyRange GreaterThan(RangeKey low) => new(Past(low), All.HighBytes);

    /// <summary>Everything up to <paramref name="high"/>, included.</summary>
    public static KeyRange AtMost(RangeKey high) => new(All.LowBytes, Past(high));

    /// <summary>Everything before <paramref name="high"/>.</summary>
    public static KeyRange LessThan(RangeKey high) => new(All.LowBytes, At(high));

    /// <summary>True when some key position lies in both.</summary>
    public bool Overlaps(KeyRange other) =>
        Low.SequenceCompareTo(other.High) < 0 && other.Low.SequenceCompareTo(High) < 0;

    /// <summary>True when the key, and everything that begins with it, lies in the range.</summary>
    public bool Contains(RangeKey key)
    {
        var single = Single(key);
        return Low.SequenceCompareTo(single.Low) <= 0 && single.High.SequenceCompareTo(High) <= 0;
    }

    /// <inheritdoc />
    public bool Equals(KeyRange other) => Low.SequenceEqual(other.Low) && High.SequenceEqual(other.High);

    /// <inheritdoc />
    public override bool Equals(object? obj) => obj is KeyRange other && Equals(other);

    /// <inheritdoc />
    public override int GetHashCode()
    {
        var hash = new HashCode();
        hash.AddBytes(Low);
        hash.AddBytes(High);
        return hash.ToHashCode();
    }

    /// <summary>True when both cover the same keys.</summary>
    public static bool operator ==(KeyRange left, KeyRange right) => left.Equals(right);

    /// <summary>True when they cover different keys.</summary>
    public static bool operator !=(KeyRange left, KeyRange right) => !left.Equals(right);

    /// <summary>The range as people read it, such as <c>[1, 6)</c>; it shows keys, so it belongs on a screen and not in a log.</summary>
    public override string ToString() => RangeKeyText.Describe(this);

    /// <summary>A range from bounds that were encoded before, as stored by a backend.</summary>
    internal static KeyRange FromBounds(byte[] low, byte[] high) => new(low, high);

    private static byte[] At(RangeKey key) => [.. key.Bytes, RangeKeyEncoder.Before];

    // Integers have a next value: using it makes [1, 5] and [1, 6) the same bytes, as PostgreSQL's int8range does.
    private static byte[] Past(RangeKey key) => key.Integer is { } value && value < long.MaxValue
        ? At(RangeKey.From(value + 1))
        : [.. key.Bytes, RangeKeyEncoder.After];

    private static InvalidOperationException NotMade() =>
        new("A default KeyRange has no bounds; make one with KeyRange.HalfOpen, Closed, Single or All.");
}
