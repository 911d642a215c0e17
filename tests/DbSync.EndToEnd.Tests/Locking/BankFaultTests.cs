using DbSync.Redis.Wire;
using DbSync.Testing;
using StackExchange.Redis;

namespace DbSync.EndToEnd.Tests.Locking;

/// <summary>
/// T33, T35, T37: whatever happens to tellers, to Redis and to the network, money adds up and transfers over common accounts have
/// happened in the order of their tokens. After every fault each teller must get on.
/// </summary>
[Trait("Needs", "Server")]
public sealed class BankFaultTests(PostgresFixture postgres)
{
    private static readonly TimeSpan PastTheLease = Bank.Lease * 1.7;

    private readonly List<TestProcess> _tellers = [];
    private int _seed;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public Task Money_adds_up_when_processes_and_Redis_fail() => Run(
    [
        bank => Kill(bank),
        Pause,
        bank => bank.Redis.ExecuteAsync("FLUSHALL"),
        bank => bank.Redis.ExecuteAsync("FUNCTION", "FLUSH"),
        bank => bank.Redis.ExecuteAsync("CLIENT", "KILL", "TYPE", "pubsub"),
        StepTheClock,
        bank => bank.Redis.RestartAsync(Ct),
        Promote,
    ]);

    [Fact]
    public Task Money_adds_up_when_the_network_fails() => Run(
    [
        bank => For(bank, PastTheLease, () => bank.ToRedis.Stall(Way.ToServer), bank.ToRedis),
        bank => For(bank, PastTheLease, () => bank.ToRedis.Stall(Way.ToClient), bank.ToRedis),
        bank => For(bank, PastTheLease, bank.ToRedis.Cut, bank.ToRedis),
        bank => For(bank, Bank.Lease / 2, () => bank.ToRedis.ResetAfter(300, Way.ToServer), bank.ToRedis),
        bank => For(bank, Bank.Lease / 2, () => bank.ToRedis.ResetAfter(300, Way.ToClient), bank.ToRedis),
        bank => For(bank, Bank.Lease, () => bank.ToRedis.Trickle(40, TimeSpan.FromMilliseconds(2)), bank.ToRedis),
        bank => For(bank, PastTheLease, () => bank.ToPostgres.Stall(Way.ToClient), bank.ToPostgres),
        bank => For(bank, Bank.Lease / 2, () => bank.ToPostgres.ResetAfter(2_000, Way.ToServer), bank.ToPostgres),
        bank => For(bank, Bank.Lease / 2, bank.ToPostgres.Cut, bank.ToPostgres),
    ]);

    [Trait("Role", "Soak")] // minutes of faults; run by scripts/soak
    [Theory]
    [InlineData(11)]
    [InlineData(12)]
    public Task Money_adds_up_whatever_happens_in_whatever_order(int seed)
    {
        var random = new Random(seed);
        Func<Bank, Task>[] faults =
        [
            bank => Kill(bank), Pause, bank => bank.Redis.FlushAsync(), bank => bank.Redis.RestartAsync(Ct),
            bank => bank.Redis.ExecuteAsync("CLIENT", "PAUSE", 1_500),
            bank => For(bank, PastTheLease, () => bank.ToRedis.Stall((Way)random.Next(1, 4)), bank.ToRedis),
            bank => For(bank, PastTheLease, () => bank.ToPostgres.Stall((Way)random.Next(1, 4)), bank.ToPostgres),
            bank => For(bank, Bank.Lease, () => bank.ToRedis.Delay(TimeSpan.FromMilliseconds(30)), bank.ToRedis),
        ];
        return Run([.. Enumerable.Range(0, 30).Select(_ => faults[random.Next(faults.Length)])]);
    }

    private async Task Run(IReadOnlyList<Func<Bank, Task>> faults)
    {
        await using var bank = await Bank.OpenAsync(postgres);
        try
        {
            for (var i = 0; i < 3; i++) _tellers.Add(bank.Forever(++_seed));
            foreach (var teller in _tellers) await Bank.ProgressAsync(teller);
            foreach (var fault in faults)
            {
                await fault(bank);
                foreach (var teller in _tellers) await Bank.ProgressAsync(teller);
                (await bank.Sum()).ShouldBe(Bank.Total);
            }
        }
        finally
        {
            foreach (var teller in _tellers) await teller.DisposeAsync();
        }

        (await bank.Sum()).ShouldBe(Bank.Total);
        (await bank.Disorder()).ShouldBe(0);
        (await bank.Scalar("SELECT count(*) FROM history")).ShouldBeGreaterThan(30);
    }

    private async Task Kill(Bank bank)
    {
        _tellers[0].Kill();
        await _tellers[0].DisposeAsync();
        _tellers.RemoveAt(0);
        _tellers.Add(bank.Forever(++_seed));
    }

    private async Task Pause(Bank bank)
    {
        var teller = _tellers[^1];
        teller.Pause();
        await bank.PassAsync(PastTheLease);
        teller.Resume();
    }

    private static async Task For(Bank bank, TimeSpan duration, Action fault, FaultProxy proxy)
    {
        fault();
        await bank.PassAsync(duration);
        proxy.Mend();
    }

    // The server's clock jumps an hour ahead: every lease is over at once, and none of its holders knows. A library of a newer revision that reads
    // the time plus a step stands for the clock: Redis's memory allocator doesn't run under libfaketime.
    private static async Task StepTheClock(Bank bank)
    {
        const string Time = "local t = call('TIME')\n", Revision = "local REVISION = ";
        LockLibrary.Code.Split(Time).Length.ShouldBe(2);
        var stepped = LockLibrary.Code.Replace(Time, $"{Time}    t[1] = t[1] + (call('GET', 'test:clock') or 0)\n", StringComparison.Ordinal)
            .Replace(Revision, $"{Revision}9", StringComparison.Ordinal);
        await bank.Redis.ExecuteAsync("FUNCTION", "LOAD", "REPLACE", stepped);
        await bank.Redis.ExecuteAsync("SET", "test:clock", "3600");
    }

    // A replica takes over while the old primary goes on for one teller who still reaches it: two servers grant at the same time.
    private async Task Promote(Bank bank)
    {
        await using var replica = await RedisServer.StartAsync(cancellationToken: Ct);
        await replica.ExecuteAsync("REPLICAOF", "127.0.0.1", bank.Redis.Port);
        await Eventually.Async(async _ => ((string?)await replica.ExecuteAsync("INFO", "replication"))!.Contains("master_link_status:up", StringComparison.Ordinal),
            cancellationToken: Ct);
        await using var leftBehind = bank.Forever(++_seed, bank.Redis.Port);
        await Bank.ProgressAsync(leftBehind);
        await replica.ExecuteAsync("REPLICAOF", "NO", "ONE");
        bank.ToRedis.Retarget(replica.Port);
        foreach (var teller in _tellers) await Bank.ProgressAsync(teller);
        await leftBehind.WaitForLineAsync(line => line == "DBS6001", fromLine: leftBehind.Lines.Count, cancellationToken: Ct);
        bank.ToRedis.Retarget(bank.Redis.Port);
    }
}
