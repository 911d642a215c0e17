using System.Diagnostics.Metrics;

namespace DbSync.Locking;

/// <summary>
/// The instruments of the meter <c>DbSync.Locks</c>. Tags: <c>dbsync.lock.mode</c> only; a resource's name may be a tenant's and would
/// make the number of series unbounded.
/// </summary>
internal static class LockMetrics
{
    public const string MeterName = "DbSync.Locks";

    private static readonly Meter Meter = new(MeterName);

    private static readonly Histogram<double> Waits =
        Meter.CreateHistogram<double>("dbsync.lock.wait", "ms", "Time from asking for a lock to having it.");

    private static readonly Histogram<double> Holds =
        Meter.CreateHistogram<double>("dbsync.lock.hold", "ms", "Time from having a lock to giving it back or losing it.");

    private static readonly Counter<long> Requests = Meter.CreateCounter<long>("dbsync.lock.requests", "{request}", "Locks asked for.");

    private static readonly Counter<long> Conflicts =
        Meter.CreateCounter<long>("dbsync.lock.conflicts", "{pair}", "Earlier conflicting ranges met by requests when they arrived.");

    private static readonly Counter<long> Losses =
        Meter.CreateCounter<long>("dbsync.lock.losses", "{lock}", "Locks lost: lease over, server emptied, or revoked.");

    private static readonly Counter<long> Refusals =
        Meter.CreateCounter<long>("dbsync.lock.refusals", "{request}", "Requests that ended without a lock; the tag reason says why.");

    public static void Asked(LockMode mode) => Requests.Add(1, Mode(mode));

    public static void Met(LockMode mode, long conflicts) => Conflicts.Add(conflicts, Mode(mode));

    public static void Granted(LockMode mode, TimeSpan waited) => Waits.Record(waited.TotalMilliseconds, Mode(mode));

    public static void Ended(LockMode mode, TimeSpan held) => Holds.Record(held.TotalMilliseconds, Mode(mode));

    public static void Lost(LockMode mode) => Losses.Add(1, Mode(mode));

    public static void Refused(LockMode mode, string reason) =>
        Refusals.Add(1, Mode(mode), new KeyValuePair<string, object?>("reason", reason));

    private static KeyValuePair<string, object?> Mode(LockMode mode) =>
        new("dbsync.lock.mode", mode == LockMode.Exclusive ? "exclusive" : "shared");
}
