namespace DbSync.Locking;

/// <summary>
/// The number that proves, inside PostgreSQL, that its holder is the newest one: <c>epoch &lt;&lt; 40 | sequence</c>. The epoch lives in
/// PostgreSQL and rises whenever the lock server may have forgotten something; the sequence rises with every grant of an epoch.
/// So tokens of one resource never go back, whatever the lock server loses.
/// </summary>
/// <remarks>Source: M. Kleppmann, "How to do distributed locking" (2016); Burrows, "Chubby" (OSDI 2006), sequencers.</remarks>
/// <param name="Value">The packed number, always positive; 0 is "no token".</param>
public readonly record struct FencingToken(long Value) : IComparable<FencingToken>
{
    /// <summary>Bits of the sequence: an epoch can grant 2^40 - 1 locks.</summary>
    public const int SequenceBits = 40;

    /// <summary>The largest epoch: what is left of a positive 64-bit number.</summary>
    public const long EpochMax = (1L << (63 - SequenceBits)) - 1;

    /// <summary>The largest sequence number of an epoch.</summary>
    public const long SequenceMax = (1L << SequenceBits) - 1;

    /// <summary>Packs an epoch and a sequence number.</summary>
    /// <exception cref="ArgumentOutOfRangeException">One of them doesn't fit.</exception>
    public FencingToken(long epoch, long sequence)
        : this((epoch << SequenceBits) | sequence)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(epoch);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(epoch, EpochMax);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(sequence);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(sequence, SequenceMax);
    }

    /// <summary>The epoch in which the lock was granted.</summary>
    public long Epoch => Value >> SequenceBits;

    /// <summary>The number of the grant within its epoch.</summary>
    public long Sequence => Value & SequenceMax;

    /// <inheritdoc />
    public int CompareTo(FencingToken other) => Value.CompareTo(other.Value);

    /// <summary>True when <paramref name="left"/> was granted before <paramref name="right"/>.</summary>
    public static bool operator <(FencingToken left, FencingToken right) => left.Value < right.Value;

    /// <summary>True when <paramref name="left"/> was granted after <paramref name="right"/>.</summary>
    public static bool operator >(FencingToken left, FencingToken right) => left.Value > right.Value;

    /// <summary>True when <paramref name="left"/> was not granted after <paramref name="right"/>.</summary>
    public static bool operator <=(FencingToken left, FencingToken right) => left.Value <= right.Value;

    /// <summary>True when <paramref name="left"/> was not granted before <paramref name="right"/>.</summary>
    public static bool operator >=(FencingToken left, FencingToken right) => left.Value >= right.Value;

    /// <summary>Epoch and sequence, as <c>7:42</c>.</summary>
    public override string ToString() => $"{Epoch}:{Sequence}";
}
