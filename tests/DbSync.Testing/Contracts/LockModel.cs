using DbSync.Locking;

namespace DbSync.Testing.Contracts;

/// <summary>
/// The rule of range locks over cells 0..: written once more and as plainly as possible, to judge every backend by. A request waits for each
/// earlier request, held or waiting, with which it shares a cell unless both are shared.
/// </summary>
public sealed class LockModel
{
    private readonly List<Entry> _entries = []; // in the order of arrival; upgraded ones keep their place

    public IReadOnlyList<Entry> Held => [.. _entries.Where(e => e.IsHeld)];

    public IReadOnlyList<Entry> Waiting => [.. _entries.Where(e => !e.IsHeld)];

    /// <summary>Adds a request; true when it is granted at once. A try that isn't is left out.</summary>
    public bool Arrive(Entry entry, bool wait)
    {
        entry.IsHeld = !_entries.Any(entry.ConflictsWith);
        if (entry.IsHeld || wait) _entries.Add(entry);
        return entry.IsHeld;
    }

    /// <summary>Those granted because <paramref name="entry"/> left, in order.</summary>
    public IReadOnlyList<Entry> Leave(Entry entry)
    {
        _entries.Remove(entry);
        return HandOff();
    }

    public IReadOnlyList<Entry> Downgrade(Entry entry)
    {
        entry.Mode = LockMode.Shared;
        return HandOff();
    }

    public bool Upgrade(Entry entry)
    {
        if (_entries.Any(other => other != entry && other.IsHeld && other.Cells.Overlaps(entry.Cells))) return false;
        entry.Mode = LockMode.Exclusive;
        return true;
    }

    /// <summary>Whom it waits for.</summary>
    public IEnumerable<Entry> Blockers(Entry entry) => _entries
        .Where(other => other != entry && (other.IsHeld || _entries.IndexOf(other) < _entries.IndexOf(entry)) && entry.ConflictsWith(other));

    private List<Entry> HandOff()
    {
        var granted = new List<Entry>();
        foreach (var entry in _entries.Where(e => !e.IsHeld).ToArray())
        {
            if (Blockers(entry).Any()) continue;
            entry.IsHeld = true;
            granted.Add(entry);
        }

        return granted;
    }

    public sealed class Entry(LockOwner owner, LockMode mode, IEnumerable<int> cells)
    {
        public LockOwner Owner => owner;

        public LockMode Mode { get; set; } = mode;

        public HashSet<int> Cells { get; } = [.. cells];

        public bool IsHeld { get; set; }

        public Task<RangeLock>? Task { get; set; }

        public CancellationTokenSource Cancel { get; } = new();

        public bool ConflictsWith(Entry other) =>
            (Mode == LockMode.Exclusive || other.Mode == LockMode.Exclusive) && Cells.Overlaps(other.Cells);
    }
}
