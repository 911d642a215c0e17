using DbSync.LockWorker;
using DbSync.Testing;

namespace DbSync.EndToEnd.Tests.Locking;

/// <summary>
/// T33, promise 5: a holder that stands still past its lease. Money that several processes move under range locks adds up in PostgreSQL, and without
/// the fence the same accident destroys some: so the test sees the fault.
/// </summary>
[Trait("Needs", "Server")]
public sealed class BankTests(PostgresFixture postgres) : IAsyncLifetime
{
    private Bank _bank = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _bank = await Bank.OpenAsync(postgres);

    public ValueTask DisposeAsync() => _bank.DisposeAsync();

    [Fact]
    public async Task A_holder_paused_before_its_transaction_is_refused_and_nothing_is_lost()
    {
        var outcome = await PauseWhileAnotherTransfers(Gate.AfterRegister, fence: true);
        outcome.ShouldBe("DBS6001");
        (await _bank.Sum()).ShouldBe(Bank.Total);
    }

    [Fact]
    public async Task Without_the_fence_the_same_pause_destroys_money()
    {
        var outcome = await PauseWhileAnotherTransfers(Gate.AfterRead, fence: false);
        outcome.ShouldBe("written");
        (await _bank.Sum()).ShouldNotBe(Bank.Total, "the stale balances were written over the newer ones");
    }

    [Fact]
    public async Task A_holder_paused_inside_its_transaction_keeps_the_next_one_waiting_and_nothing_is_lost()
    {
        await using var gate = await _bank.CloseGate();
        await using var teller = _bank.Once(fence: true, 0, 10, Gate.AfterRead);
        await teller.WaitForLineAsync(line => line == "at the gate", cancellationToken: Ct);
        teller.Pause();
        var next = _bank.Transfer(fence: true, low: 5, high: 15);
        await Eventually.Async(async _ => await _bank.Scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%fence%'") > 0,
            cancellationToken: Ct);
        next.IsCompleted.ShouldBeFalse();
        await gate.DisposeAsync();
        teller.Resume();
        (await teller.WaitForLineAsync(line => line is "written" or "DBS6001", cancellationToken: Ct)).ShouldBe("written", "it was the newest when it was checked");
        await next;
        (await _bank.Sum()).ShouldBe(Bank.Total);
    }

    private async Task<string> PauseWhileAnotherTransfers(Gate at, bool fence)
    {
        await using var gate = await _bank.CloseGate();
        await using var teller = _bank.Once(fence, 0, 10, at);
        await teller.WaitForLineAsync(line => line == "at the gate", cancellationToken: Ct);
        teller.Pause();
        await _bank.Transfer(fence, low: 5, high: 15); // gets the range when the paused holder's lease is over
        await gate.DisposeAsync();
        teller.Resume();
        return await teller.WaitForLineAsync(line => line.StartsWith("DBS", StringComparison.Ordinal) || line == "written", cancellationToken: Ct);
    }
}
