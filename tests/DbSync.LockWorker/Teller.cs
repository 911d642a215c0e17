using DbSync.Locking;
using DbSync.Postgres.Locking;
using Npgsql;

namespace DbSync.LockWorker;

/// <summary>Where a transfer stops until the test lets go of the gate.</summary>
public enum Gate
{
    None,
    AfterRegister,
    AfterRead,
}

/// <summary>
/// Moves money between the accounts of a range, the careless way: reads balances, and writes back what it made of them. Only the lock keeps two
/// of these apart, so a holder that was paused past its lease destroys money, unless the fence stops it. LostToken is not looked at
/// on purpose: it can't help a process that stands still.
/// </summary>
public sealed class Teller(IRangeLockManager locks, NpgsqlDataSource bank, bool useFence)
{
    public const string Accounts = "accounts";

    /// <summary>The advisory lock that tests hold to keep a teller at its gate.</summary>
    public const long GateKey = 4711;

    private readonly PostgresFence _fence = new(bank);

    public async Task Transfer(int low, int high, int seed, Gate gate, Action<string> say)
    {
        await using var held = await locks.AcquireAsync(Accounts, KeyRange.HalfOpen(low, high), LockMode.Exclusive);
        var unaware = new Unaware(held);
        if (useFence) await _fence.RegisterAsync(unaware, default);
        if (gate == Gate.AfterRegister) await Wait(say);

        await using var connection = await bank.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        if (useFence) await _fence.GuardAsync(transaction, unaware, default);
        var balances = new SortedDictionary<int, long>();
        await using (var read = new NpgsqlCommand("SELECT id, balance FROM account WHERE id >= $1 AND id < $2", connection, transaction))
        {
            read.Parameters.Add(new() { Value = low });
            read.Parameters.Add(new() { Value = high });
            await using var rows = await read.ExecuteReaderAsync();
            while (await rows.ReadAsync()) balances[rows.GetInt32(0)] = rows.GetInt64(1);
        }

        if (gate == Gate.AfterRead) await Wait(say);
        var random = new Random(seed);
        var ids = balances.Keys.ToArray();
        for (var i = 0; i < ids.Length; i++)
        {
            var amount = random.Next(1, 100);
            balances[ids[i]] -= amount;
            balances[ids[random.Next(ids.Length)]] += amount;
        }

        foreach (var (id, balance) in balances)
        {
            await using var write = new NpgsqlCommand("UPDATE account SET balance = $2 WHERE id = $1", connection, transaction);
            write.Parameters.Add(new() { Value = id });
            write.Parameters.Add(new() { Value = balance });
            await write.ExecuteNonQueryAsync();
        }

        await using (var note = new NpgsqlCommand("INSERT INTO history (low, high, token) VALUES ($1, $2, $3)", connection, transaction))
        {
            note.Parameters.Add(new() { Value = low });
            note.Parameters.Add(new() { Value = high });
            note.Parameters.Add(new() { Value = held.FencingToken.Value });
            await note.ExecuteNonQueryAsync();
        }

        await transaction.CommitAsync();
    }

    private async Task Wait(Action<string> say)
    {
        await using var connection = await bank.OpenConnectionAsync();
        say("at the gate");
        await using var pass = new NpgsqlCommand($"SELECT pg_advisory_lock_shared({GateKey}), pg_advisory_unlock_shared({GateKey})", connection)
        {
            CommandTimeout = 0,
        };
        await pass.ExecuteNonQueryAsync();
    }

    // Hides the loss from the C# side, so that nothing but PostgreSQL is left to notice it.
    private sealed class Unaware(RangeLock held) : RangeLock
    {
        private readonly FencingToken _token = held.FencingToken;

        public override LockResource Resource => held.Resource;

        public override IReadOnlyList<KeyRange> Ranges => held.Ranges;

        public override LockMode Mode => held.Mode;

        public override FencingToken FencingToken => _token;

        public override LockOwner Owner => held.Owner;

        public override CancellationToken LostToken => CancellationToken.None;

        public override ValueTask DowngradeAsync(CancellationToken cancellationToken = default) => held.DowngradeAsync(cancellationToken);

        public override ValueTask<bool> TryUpgradeAsync(CancellationToken cancellationToken = default) => held.TryUpgradeAsync(cancellationToken);

        protected override ValueTask GiveBackAsync() => held.DisposeAsync();
    }
}
