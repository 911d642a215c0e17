using System.Globalization;

namespace DbSync.EntityFrameworkCore;

/// <summary>How fresh the answer of a replica must be.</summary>
/// <remarks>
/// Whatever the level, a query reads one position: the state after some commit of the primary, whole.
/// </remarks>
public readonly record struct ReadConsistency
{
    private ReadConsistency(Level kind, TimeSpan bound) => (Kind, Bound) = (kind, bound);

    internal enum Level : byte
    {
        Session = 0,
        Strong = 1,
        Bounded = 2,
        Eventual = 3,
    }

    /// <summary>Reads see what this session has written and never go back behind what it has read. The default.</summary>
    public static ReadConsistency Session => default;

    /// <summary>Reads see everything that was committed when they began. Costs one round trip to the primary.</summary>
    public static ReadConsistency Strong => new(Level.Strong, default);

    /// <summary>Reads see whatever the replica has.</summary>
    public static ReadConsistency Eventual => new(Level.Eventual, default);

    /// <summary>
    /// Reads see everything that was committed <paramref name="bound"/> ago. The replica proves it with its heartbeat, once a second, so that
    /// bounds below about two seconds are proved by asking the primary.
    /// </summary>
    /// <param name="bound">How old the answer may be; positive.</param>
    public static ReadConsistency BoundedStaleness(TimeSpan bound)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(bound, TimeSpan.Zero);
        return new ReadConsistency(Level.Bounded, bound);
    }

    internal Level Kind { get; }

    internal TimeSpan Bound { get; }

    /// <inheritdoc />
    public override string ToString() =>
        Kind == Level.Bounded ? string.Create(CultureInfo.InvariantCulture, $"BoundedStaleness({Bound.TotalMilliseconds} ms)") : Kind.ToString();
}
