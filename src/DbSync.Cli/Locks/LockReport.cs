using DbSync.Locking;

namespace DbSync.Cli.Locks;

/// <summary>What <c>dbsync locks list --json</c> writes; its README documents it. Durations in ms, times in RFC 3339, bounds in hexadecimal.</summary>
internal sealed record LockReport(IReadOnlyList<ResourceReport> Resources)
{
    public static LockReport Of(IEnumerable<LockSnapshot> snapshots) => new([.. snapshots.Select(ResourceReport.Of)]);
}

/// <summary>One resource at one moment. Conflicts are the pairs of which one waits for the other; the bound is n(n-1)/2 of its n locks.</summary>
internal sealed record ResourceReport(
    string Name, long Epoch, DateTimeOffset TakenAt, int Held, int Waiting, long Conflicts, long ConflictsBound, bool Truncated, IReadOnlyList<LockEntryReport> Locks)
{
    public static ResourceReport Of(LockSnapshot snapshot)
    {
        var held = snapshot.Entries.Count(entry => entry.IsHeld);
        return new ResourceReport(
            snapshot.Resource.Name, snapshot.Epoch, snapshot.TakenAt, held, snapshot.Entries.Count - held, snapshot.Conflicts, snapshot.ConflictsBound, snapshot.Truncated,
            [.. snapshot.Entries.Select(LockEntryReport.Of)]);
    }
}

/// <summary>A lock: held, or waited for (then its token is null). The age counts from the grant, or from the start of the wait.</summary>
internal sealed record LockEntryReport(
    string Id, string Owner, LockMode Mode, bool Held, IReadOnlyList<RangeReport> Ranges, string? Token, double AgeMs, double? LeaseLeftMs, IReadOnlyList<string> WaitsFor)
{
    public static LockEntryReport Of(LockEntry entry) => new(
        entry.Id.ToString(), entry.Owner, entry.Mode, entry.IsHeld, [.. entry.Ranges.Select(RangeReport.Of)], entry.Token?.ToString(),
        entry.Age.TotalMilliseconds, entry.LeaseLeft?.TotalMilliseconds, [.. entry.WaitsFor.Select(id => id.ToString())]);
}

/// <summary>A range as people read it, and its encoded bounds.</summary>
internal sealed record RangeReport(string Text, string Low, string High)
{
    public static RangeReport Of(KeyRange range) => new(range.ToString(), Convert.ToHexStringLower(range.Low), Convert.ToHexStringLower(range.High));
}
