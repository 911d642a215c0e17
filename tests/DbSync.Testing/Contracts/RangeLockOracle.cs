using CsCheck;
using DbSync.Locking;
using Shouldly;

namespace DbSync.Testing.Contracts;

/// <summary>One random step. Which request it means is <see cref="Pick"/> modulo their number, so that steps stay meaningful when CsCheck shrinks.</summary>
public sealed record LockStep(LockVerb Verb, int Pick, LockMode Mode, int Low, int Length, int Low2, int Length2);

public enum LockVerb
{
    Acquire,
    Try,
    Release,
    Cancel,
    Upgrade,
    Downgrade,
    Revoke,
}

/// <summary>
/// Runs steps against a manager and <see cref="LockModel"/> at once. After each, the holders, the order of the waiters and whom each waits for must be
/// exactly the model's, every granted caller must have been told, and tokens must have grown in the order of the grants.
/// </summary>
public sealed class RangeLockOracle(IRangeLockManager locks, LockResource table, TimeSpan? settle = null)
{
    private readonly TimeSpan _settle = settle ?? TimeSpan.FromSeconds(5);
    private readonly LockModel _model = new();
    private readonly List<LockModel.Entry> _entries = [];
    private FencingToken _last;

    public static Gen<LockStep[]> Steps { get; } = Gen.Select(
            Gen.Enum<LockVerb>(), Gen.Int[0, 50], Gen.Enum<LockMode>(), Gen.Int[0, 15], Gen.Int[1, 6], Gen.Int[0, 15], Gen.Int[0, 3],
            (verb, pick, mode, low, length, low2, length2) => new LockStep(pick % 3 == 0 ? LockVerb.Acquire : verb, pick, mode, low, length, low2, length2))
        .Array[5, 60];

    public int Waits { get; private set; }

    public async Task Run(IEnumerable<LockStep> steps)
    {
        foreach (var step in steps)
        {
            await Take(step);
            await Compare(step);
        }

        foreach (var entry in _entries.ToArray())
            await (entry.IsHeld ? Release(entry) : Cancel(entry));
        (await Snapshot()).Entries.ShouldBeEmpty();
    }

    private async Task Take(LockStep step)
    {
        switch (step.Verb)
        {
            case LockVerb.Acquire:
                await Arrive(step);
                break;
            case LockVerb.Try:
                await Try(step);
                break;
            case LockVerb.Release when Pick(step, held: true) is { } entry:
                await Release(entry);
                break;
            case LockVerb.Cancel when Pick(step, held: false) is { } entry:
                await Cancel(entry);
                break;
            case LockVerb.Upgrade when Pick(step, held: true) is { Mode: LockMode.Shared } entry:
                var upgraded = _model.Upgrade(entry);
                (await (await entry.Task!).TryUpgradeAsync()).ShouldBe(upgraded);
                if (upgraded) Newer((await entry.Task!).FencingToken);
                break;
            case LockVerb.Downgrade when Pick(step, held: true) is { Mode: LockMode.Exclusive } entry:
                await (await entry.Task!).DowngradeAsync();
                await Told(_model.Downgrade(entry));
                break;
            case LockVerb.Revoke when (Pick(step, held: true) ?? Pick(step, held: false)) is { } entry:
                await Revoke(entry);
                break;
        }
    }

    private async Task Arrive(LockStep step)
    {
        var entry = NewEntry(step);
        _entries.Add(entry);
        var granted = _model.Arrive(entry, wait: true);
        entry.Task = locks.AcquireAsync(table, Ranges(step), step.Mode, Options(entry), entry.Cancel.Token).AsTask();
        if (granted) await Told([entry]);
        else Waits++;
    }

    private async Task Try(LockStep step)
    {
        var entry = NewEntry(step);
        var granted = _model.Arrive(entry, wait: false);
        var held = await locks.TryAcquireAsync(table, Ranges(step), step.Mode, Options(entry));
        (held is not null).ShouldBe(granted, step.ToString());
        if (held is null) return;
        entry.Task = Task.FromResult(held);
        _entries.Add(entry);
        await Told([entry]);
    }

    private async Task Release(LockModel.Entry entry)
    {
        _entries.Remove(entry);
        await (await entry.Task!).DisposeAsync();
        await Told(_model.Leave(entry));
    }

    private async Task Cancel(LockModel.Entry entry)
    {
        _entries.Remove(entry);
        await entry.Cancel.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => entry.Task!);
        await Told(_model.Leave(entry));
    }

    private async Task Revoke(LockModel.Entry entry)
    {
        _entries.Remove(entry);
        var id = (await Snapshot()).Entries.Single(e => e.Owner == entry.Owner.Id).Id;
        await locks.Inspector.ReleaseAsync(table, id, CancellationToken.None);
        if (entry.IsHeld) await LockTesting.Lost(await entry.Task!);
        else await Should.ThrowAsync<RangeLockLostException>(() => entry.Task!.WaitAsync(_settle, TimeProvider.System));
        await Told(_model.Leave(entry));
    }

    private async Task Told(IReadOnlyList<LockModel.Entry> granted)
    {
        foreach (var entry in granted)
        {
            var held = await entry.Task!.WaitAsync(_settle, TimeProvider.System);
            held.Mode.ShouldBe(entry.Mode);
            Newer(held.FencingToken);
        }
    }

    private void Newer(FencingToken token)
    {
        token.ShouldBeGreaterThan(_last);
        _last = token;
    }

    // A request that must wait is on its way when Arrive returns: what is compared is the state that it settles in.
    private async Task Compare(LockStep step)
    {
        var expected = Describe(_model.Held.Select(Line).Order(StringComparer.Ordinal), _model.Waiting.Select(Line));
        var started = TimeProvider.System.GetTimestamp();
        while (true)
        {
            var entries = (await Snapshot()).Entries;
            var names = entries.ToDictionary(e => e.Id, e => e.Owner);
            var actual = Describe(entries.Where(e => e.IsHeld).Select(e => Line(e, names)).Order(StringComparer.Ordinal),
                entries.Where(e => !e.IsHeld).Select(e => Line(e, names)));
            if (actual == expected) return;
            if (TimeProvider.System.GetElapsedTime(started) > _settle) actual.ShouldBe(expected, step.ToString());
            await Task.Yield();
        }
    }

    private string Line(LockModel.Entry entry) => string.Join(' ', entry.Owner.Id, entry.Mode, string.Join(',', entry.Cells.Order()), "<",
        entry.IsHeld ? "" : string.Join(',', _model.Blockers(entry).Select(b => b.Owner.Id).Order(StringComparer.Ordinal)));

    private static string Line(LockEntry entry, Dictionary<LockEntryId, string> names) => string.Join(' ', entry.Owner, entry.Mode,
        string.Join(',', Enumerable.Range(0, 30).Where(cell => entry.Ranges.Any(range => range.Contains(cell)))), "<",
        string.Join(',', entry.WaitsFor.Select(id => names[id]).Order(StringComparer.Ordinal)));

    private static string Describe(IEnumerable<string> held, IEnumerable<string> waiting) =>
        $"held\n{string.Join('\n', held)}\nwaiting\n{string.Join('\n', waiting)}";

    private ValueTask<LockSnapshot> Snapshot() => locks.Inspector.SnapshotAsync(table, CancellationToken.None);

    private LockModel.Entry? Pick(LockStep step, bool held)
    {
        var candidates = _entries.Where(entry => entry.IsHeld == held).ToArray();
        return candidates.Length == 0 ? null : candidates[step.Pick % candidates.Length];
    }

    private static RangeLockOptions Options(LockModel.Entry entry) => LockTesting.Patient with { Owner = entry.Owner };

    private static LockModel.Entry NewEntry(LockStep step) => new(LockOwner.New(), step.Mode,
        Enumerable.Range(step.Low, step.Length).Concat(Enumerable.Range(step.Low2, step.Length2)));

    private static KeyRange[] Ranges(LockStep step) => step.Length2 == 0
        ? [KeyRange.HalfOpen(step.Low, step.Low + step.Length)]
        : [KeyRange.HalfOpen(step.Low, step.Low + step.Length), KeyRange.Closed(step.Low2, step.Low2 + step.Length2 - 1)];
}
