using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using DbSync.Locking;
using Shouldly;
using Xunit;
using static DbSync.Testing.Contracts.LockTesting;

namespace DbSync.Testing.Contracts;

/// <summary>
/// What the meter of locks says of a known course of events, whatever the backend. Nothing else may take locks meanwhile: the instruments are the
/// process's, and resources are no tag.
/// </summary>
public abstract class LockMetricsContract
{
    private const LockMode X = LockMode.Exclusive;
    private const LockMode S = LockMode.Shared;

    private readonly ConcurrentDictionary<string, int> _counts = new(StringComparer.Ordinal);

    protected abstract ValueTask<IRangeLockManager> NewManager();

    [Fact]
    public async Task Waits_holds_losses_conflicts_and_refusals_are_counted()
    {
        await using var locks = await NewManager();
        using var listener = Listen();
        LockResource table = $"t-{Guid.NewGuid():N}";
        var range = KeyRange.HalfOpen(0, 10);

        var first = await locks.AcquireAsync(table, range, X, Someone());
        (await locks.TryAcquireAsync(table, range, S, Someone())).ShouldBeNull();
        await Should.ThrowAsync<RangeLockTimeoutException>(async () => await locks.AcquireAsync(table, range, S, Someone() with { WaitTimeout = TimeSpan.FromMilliseconds(30) }));
        using var cancel = new CancellationTokenSource();
        var cancelled = locks.AcquireAsync(table, range, S, Someone(), cancel.Token).AsTask();
        await UntilWaiting(locks, table, 1);
        await Expect(("conflicts shared", 2)); // who gives up before the answer came has met nobody yet
        await cancel.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => cancelled);
        await Should.ThrowAsync<RangeLockDeadlockException>(async () => await locks.AcquireAsync(table, range, X, Patient with { Owner = first.Owner }));
        var revoked = locks.AcquireAsync(table, range, S, Someone()).AsTask();
        await UntilWaiting(locks, table, 1);
        await Expect(("conflicts shared", 3));
        await Revoke(held: false);
        await Should.ThrowAsync<RangeLockLostException>(() => revoked);
        await Expect(("wait exclusive", 1), ("hold exclusive", 0), ("conflicts shared", 3), ("losses exclusive", 0));

        var next = locks.AcquireAsync(table, range, S, Someone()).AsTask();
        await UntilWaiting(locks, table, 1);
        await first.DisposeAsync();
        var second = await next;
        await Expect(("wait shared", 1), ("hold exclusive", 1), ("conflicts shared", 4), ("hold shared", 0));
        await Revoke(held: true);
        await Lost(second);
        await using (await locks.TryAcquireAsync(table, range, X, Someone())) await Expect(("wait exclusive", 2));

        var third = await locks.AcquireAsync(table, range, X, Someone());
        await locks.Inspector.ResetAsync(table, CancellationToken.None);
        await Lost(third);
        await Expect(("hold shared", 1), ("losses shared", 1), ("losses exclusive", 1), ("hold exclusive", 3), ("requests exclusive", 4), ("requests shared", 5),
            ("refusals shared busy", 1), ("refusals shared timeout", 1), ("refusals shared cancelled", 1), ("refusals shared revoked", 1), ("refusals exclusive deadlock", 1));

        async Task Revoke(bool held)
        {
            var entry = (await locks.Inspector.SnapshotAsync(table, CancellationToken.None)).Entries.First(e => e.IsHeld == held);
            await locks.Inspector.ReleaseAsync(table, entry.Id, CancellationToken.None);
        }
    }

    // The server is asked by the test before its answers reach the client that counts them.
    private Task Expect(params (string What, int Count)[] expected) => Eventually.Async(
        () => expected.All(one => _counts.GetValueOrDefault(one.What) == one.Count),
        describe: () => string.Join(", ", expected.Select(one => $"{one.What} {_counts.GetValueOrDefault(one.What)} of {one.Count}")));

    private MeterListener Listen()
    {
        var listener = new MeterListener
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Meter.Name == "DbSync.Locks") self.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Count(instrument, (int)value, tags));
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) =>
        {
            value.ShouldBeGreaterThanOrEqualTo(0);
            Count(instrument, 1, tags);
        });
        listener.Start();
        return listener;
    }

    // "refusals shared busy": the instrument, and the values of its tags.
    private void Count(Instrument instrument, int change, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var name = instrument.Name["dbsync.lock.".Length..];
        foreach (var tag in tags) name += $" {tag.Value}";
        _counts.AddOrUpdate(name, change, (_, before) => before + change);
    }
}
