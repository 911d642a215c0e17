using System.Runtime.CompilerServices;
using DbSync.Locking;
using DbSync.Redis.Leases;
using DbSync.Redis.Wire;
using StackExchange.Redis;

namespace DbSync.Redis;

internal sealed class RedisRangeLockInspector(LockLibrary library, LockKeys keys, LeaseOpener opener, TimeProvider time) : IRangeLockInspector
{
    public async ValueTask<IReadOnlyList<LockResource>> ListResourcesAsync(CancellationToken cancellationToken)
    {
        var names = await library.Database.SetMembersAsync(keys.Resources).WaitAsync(cancellationToken).Translated();
        return [.. names.Select(name => (string)name!).Order(StringComparer.Ordinal).Select(name => new LockResource(name))];
    }

    public async ValueTask<LockSnapshot> SnapshotAsync(LockResource resource, CancellationToken cancellationToken)
    {
        var reply = await List(resource, IRangeLockInspector.EntriesMax, cancellationToken);
        if (reply.Status != 'A') return new LockSnapshot(resource, 0, time.GetUtcNow(), [], Truncated: false);
        var (epoch, now) = (reply.Number(1), reply.Number(2));
        var rows = Enumerable.Range(4, reply.Length - 4).Select(i => new Row(reply[i])).ToArray();
        var held = rows.Where(row => row.IsHeld).OrderBy(row => row.Sequence);
        Row[] ordered = [.. held, .. rows.Where(row => !row.IsHeld).OrderBy(row => row.Ticket)];
        return new LockSnapshot(resource, epoch, time.GetUtcNow(),
            [.. ordered.Select((row, i) => row.Entry(epoch, now, row.IsHeld ? [] : ordered.AsSpan(0, i)))], reply.Number(3) == 1);
    }

    public async IAsyncEnumerable<LockSnapshot> WatchAsync(LockResource resource, TimeSpan interval,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(interval, time);
        do
        {
            yield return await SnapshotAsync(resource, cancellationToken);
        }
        while (await timer.WaitForNextTickAsync(cancellationToken));
    }

    public async ValueTask ReleaseAsync(LockResource resource, LockEntryId entry, CancellationToken cancellationToken)
    {
        var state = await List(resource, 0, cancellationToken);
        if (state.Status != 'A') throw LockErrors.UnknownEntry();
        var reply = await library.Call("revoke", keys.Base(resource), state.Text(1), entry.Client, entry.Request).WaitAsync(cancellationToken);
        if (reply.Status != 'R') throw LockErrors.UnknownEntry();
    }

    public async ValueTask<long> ResetAsync(LockResource resource, CancellationToken cancellationToken) =>
        await opener.BeginEpoch(resource, cancellationToken);

    private Task<LockReply> List(LockResource resource, int limit, CancellationToken cancellationToken) =>
        library.Call("list", keys.Base(resource), limit).WaitAsync(cancellationToken);

    // { lease, request, lease expiry, mode, state, ticket, seq, since, owner, lo, hi ... }
    private sealed class Row(RedisResult row)
    {
        private readonly LockEntryId _id = new((string)row[0]!, (string)row[1]!);
        private readonly long _leaseEnd = (long)row[2];
        private readonly LockMode _mode = (string)row[3]! == "x" ? LockMode.Exclusive : LockMode.Shared;
        private readonly long _since = (long)row[7];
        private readonly KeyRange[] _ranges =
            [.. Enumerable.Range(0, (row.Length - 9) / 2).Select(i => KeyRange.FromBounds((byte[])row[9 + (2 * i)]!, (byte[])row[10 + (2 * i)]!))];

        public bool IsHeld { get; } = (string)row[4]! == "h";

        public long Ticket { get; } = (long)row[5];

        public long Sequence { get; } = (long)row[6];

        public LockEntry Entry(long epoch, long now, ReadOnlySpan<Row> earlier)
        {
            var blockers = new List<LockEntryId>();
            foreach (var other in earlier)
                if (LockModes.Conflict(_mode, other._mode) && KeyRangeSet.Overlap(_ranges, other._ranges))
                    blockers.Add(other._id);
            return new LockEntry(_id, (string)row[8]!, _mode, _ranges, IsHeld ? new FencingToken(epoch, Sequence) : null,
                TimeSpan.FromMilliseconds(Math.Max(0, now - _since)), TimeSpan.FromMilliseconds(Math.Max(0, _leaseEnd - now)), blockers);
        }
    }
}
