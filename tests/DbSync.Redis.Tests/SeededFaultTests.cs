using CsCheck;
using DbSync.Locking;
using DbSync.Redis.Wire;
using DbSync.Testing;
using DbSync.Testing.Contracts;
using StackExchange.Redis;

namespace DbSync.Redis.Tests;

/// <summary>Does the oracle see anything? Each fault, put into the library by hand, must be noticed.</summary>
[Trait("Needs", "Server")]
public sealed class SeededFaultTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public static TheoryData<string, string, string> Faults => new()
    {
        { "waiters are ignored", "if nw > 0 then\n", "if false then\n" },
        { "readers ignore waiting writers", "found = found + overlaps(p .. 'wx', lo, hi)", "" },
        { "writers ignore readers", "if nr > 0 and mode == 'x' then found = found + overlaps(p .. 'r', lo, hi) end", "" },
        { "writers ignore waiting readers", "if mode == 'x' then found = found + overlaps(p .. 'wr', lo, hi) end", "" },
        { "who gives up frees those before it too", "if ticket > after then", "if true then" },
        { "who gives up frees nobody", "relax(base, p, now, record, stood_before(record[MODE]), -1, record[TICKET])", "" },
        { "touching ranges conflict", "overlaps(set, lo, hi)\n    return call('ZLEXCOUNT', set, '[L', '(L' .. hi)", "overlaps(set, lo, hi)\n    return call('ZLEXCOUNT', set, '[L', '[L' .. hi .. TAIL)" },
        { "a token is given twice", "waiter[SEQ] = token(base)", "waiter[SEQ] = tonumber(call('HGET', base .. ':m', 'seq'))" },
        { "waiters are granted out of order", "table.sort(free)", "table.sort(free, function(a, b) return a > b end)" },
        { "a writer leaves readers waiting", "if mode == 'x' then return { 'wx', 'wr' } end", "" },
        { "upgrading doesn't hold waiting readers back", "relax(base, p, now, record, { 'wr' }, 1, -1)", "" },
        { "upgrading beside another holder", "if others > 0 then return { 'B' } end", "if others > 1 then return { 'B' } end" },
        { "downgrading wakes nobody", "relax(base, p, now, record, { 'wr' }, -1, -1)", "" },
        { "the scan takes what doesn't overlap", "overlapping = before(lo, other)", "overlapping = true" },
        { "only the first range counts", "for i = first, last, 2 do\n        local lo", "for i = first, first do\n        local lo" },
        { "the nearest range is measured at its wrong end", "return before(lo, sub(member, n + 10, -4 - id_length))", "return before(lo, sub(member, 2, n + 1))" },
        { "the counters are forgotten", "call('HSET', base .. ':m', 'nx', counters.nx, 'nr', counters.nr, 'nw', counters.nw)", "" },
        { "a hand-off keeps the waiter in the queue", "call('ZREM', p .. 'w' .. waiter[MODE], unpack(list))\n        insert", "insert" },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task A_seeded_fault_is_caught(string what, string original, string faulty)
    {
        LockLibrary.Code.Split(original).Length.ShouldBe(2, $"'{original}' must be in the library once");
        (await IsCaught(LockLibrary.Code.Replace(original, faulty, StringComparison.Ordinal))).ShouldBeTrue(what);
    }

    [Fact]
    public async Task The_library_as_it_is_passes_the_same_steps() => (await IsCaught(LockLibrary.Code)).ShouldBeFalse();

    private static async Task<bool> IsCaught(string code)
    {
        await using var server = await RedisServer.StartAsync(cancellationToken: Ct);
        await using var connection = await ConnectionMultiplexer.ConnectAsync(server.ConnectionString);
        await using var locks = new RedisRangeLockManager(connection, new InMemoryEpochStore(),
            new RedisRangeLockOptions { PollInterval = TimeSpan.FromMilliseconds(50) }, time: null, logger: null, code);

        var (runs, caught) = (0, false);
        await RangeLockOracle.Steps.SampleAsync(async steps =>
        {
            if (caught) return;
            try
            {
                await new RangeLockOracle(locks, $"r{++runs}", TimeSpan.FromMilliseconds(500)).Run(steps);
            }
            catch (Exception failure) when (failure is ShouldAssertException or TimeoutException or DbSyncException)
            {
                caught = true;
            }
        }, iter: 300, threads: 1);
        return caught;
    }
}
