using CsCheck;
using DbSync.Locking;
using DbSync.Testing;
using DbSync.Testing.Contracts;

namespace DbSync.Postgres.Tests.Locking;

/// <summary>The fence against a model over cells: random registrations, each accepted or refused exactly as the model says.</summary>
[Trait("Needs", "Server")]
public sealed class FenceModelTests(PostgresFixture postgres) : FenceTestBase(postgres)
{
    private const int Cells = 20;
    private int _resources;

    private static readonly Gen<(LockMode Mode, int Token, int Low, int Length, int Low2, int Length2)> Call =
        Gen.Select(Gen.Enum<LockMode>(), Gen.Int[1, 30], Gen.Int[0, Cells - 1], Gen.Int[1, 6], Gen.Int[0, Cells - 1], Gen.Int[0, 4]);

    [Fact]
    public async Task Registrations_are_accepted_exactly_when_no_newer_conflicting_one_overlaps() =>
        await Call.Array[1, 40].SampleAsync(async calls =>
        {
            LockResource resource = $"r{Interlocked.Increment(ref _resources)}";
            var epoch = (await Epochs.AdvanceAsync(resource, 0, Ct))!.Value;
            var (exclusive, shared) = (new int[Cells + 10], new int[Cells + 10]);
            foreach (var call in calls)
            {
                var cells = Enumerable.Range(call.Low, call.Length).Concat(Enumerable.Range(call.Low2, call.Length2)).Distinct().ToArray();
                var expected = cells.All(c => exclusive[c] <= call.Token && (call.Mode == S || shared[c] <= call.Token));
                KeyRange[] ranges = call.Length2 == 0
                    ? [R(call.Low, call.Low + call.Length)]
                    : KeyRangeSet.Normalise([R(call.Low, call.Low + call.Length), R(call.Low2, call.Low2 + call.Length2)]);
                (await Accepts(new KnownLock(resource, call.Mode, epoch, call.Token, ranges))).ShouldBe(expected, call.ToString());
                if (!expected) continue;
                foreach (var cell in cells)
                {
                    var tokens = call.Mode == X ? exclusive : shared;
                    tokens[cell] = Math.Max(tokens[cell], call.Token);
                }
            }
        }, iter: 150, threads: 2);

    [Fact]
    public async Task Many_that_register_at_once_neither_hang_nor_leave_overlapping_rows()
    {
        var refused = 0;
        await Task.WhenAll(Enumerable.Range(0, 8).Select(seed => Task.Run(async () =>
        {
            var random = new Random(seed);
            for (var i = 0; i < 60; i++)
            {
                var low = random.Next(Cells);
                var held = Lock(random.Next(2) == 0 ? X : S, 1 + (i * 8) + random.Next(8), R(low, low + 1 + random.Next(8)));
                if (!await Accepts(held)) Interlocked.Increment(ref refused);
            }
        })));
        refused.ShouldBeLessThan(480);
        (await Scalar<long>("SELECT count(*) FROM dbsync.fence AS a JOIN dbsync.fence AS b ON a.keys && b.keys AND a.ctid < b.ctid")).ShouldBe(0);
    }

    private async Task<bool> Accepts(RangeLock held)
    {
        try
        {
            await Register(held);
            return true;
        }
        catch (RangeLockLostException)
        {
            return false;
        }
    }
}
