using DbSync.Locking;

namespace DbSync.Testing.Contracts;

/// <summary>
/// Workers that lock random ranges of cells and mark them while they hold them: an exclusive holder must find its cells empty, a shared one must
/// find no exclusive holder. Judges exclusion itself, whatever the manager says about it.
/// </summary>
public sealed class RangeLockStress(int cells)
{
    private const int Exclusive = -1_000_000;

    private readonly int[] _cells = new int[cells];
    private int _violations;
    private int _sections;

    public int Violations => _violations;

    public int Sections => _sections;

    /// <summary>One worker's <paramref name="sections"/> critical sections; one in three is exclusive.</summary>
    public async Task Work(IRangeLockManager locks, LockResource table, int seed, int sections)
    {
        var random = new Random(seed);
        for (var i = 0; i < sections; i++)
        {
            var low = random.Next(cells);
            var high = Math.Min(cells, low + random.Next(1, 1 + (cells / 8)));
            var mode = random.Next(3) == 0 ? LockMode.Exclusive : LockMode.Shared;
            await using var held = await locks.AcquireAsync(table, KeyRange.HalfOpen(low, high), mode, LockTesting.Someone());
            Mark(low, high, mode, enter: true);
            await Task.Yield();
            if (random.Next(4) == 0) await Task.Yield();
            Mark(low, high, mode, enter: false);
            Interlocked.Increment(ref _sections);
        }
    }

    private void Mark(int low, int high, LockMode mode, bool enter)
    {
        var change = (mode == LockMode.Exclusive ? Exclusive : 1) * (enter ? 1 : -1);
        for (var cell = low; cell < high; cell++)
        {
            var after = Interlocked.Add(ref _cells[cell], change);
            var fine = (mode, enter) switch
            {
                (LockMode.Exclusive, true) => after == Exclusive,
                (LockMode.Exclusive, false) => after == 0,
                _ => after >= 0,
            };
            if (!fine) Interlocked.Increment(ref _violations);
        }
    }
}
