using System.Diagnostics;
using DbSync;
using DbSync.Locking;
using DbSync.LockWorker;
using DbSync.Postgres.Locking;
using DbSync.Redis;
using Npgsql;
using StackExchange.Redis;

// once LOW HIGH GATE | forever ACCOUNTS SEED | record CELLS SEED. Settings: WORKER_REDIS, WORKER_POSTGRES, WORKER_FENCE (on or off), WORKER_LEASE_MS,
// WORKER_PREFIX.
static string Setting(string name) => Environment.GetEnvironmentVariable(name) ?? throw new InvalidOperationException($"{name} is not set.");

await using var redis = await ConnectionMultiplexer.ConnectAsync(Setting("WORKER_REDIS"));
await using var bank = NpgsqlDataSource.Create(Setting("WORKER_POSTGRES"));
var options = new RedisRangeLockOptions
{
    LeaseDuration = TimeSpan.FromMilliseconds(int.Parse(Setting("WORKER_LEASE_MS"))),
    PollInterval = TimeSpan.FromMilliseconds(100),
    Prefix = Environment.GetEnvironmentVariable("WORKER_PREFIX") ?? "dbsync:lock",
};
await using var locks = new RedisRangeLockManager(redis, new PostgresEpochStore(bank), options);
var teller = new Teller(locks, bank, Setting("WORKER_FENCE") == "on");

if (args[0] == "once")
{
    try
    {
        await teller.Transfer(int.Parse(args[1]), int.Parse(args[2]), seed: 1, Enum.Parse<Gate>(args[3]), Console.WriteLine);
        Console.WriteLine("written");
    }
    catch (DbSyncException failure)
    {
        Console.WriteLine(failure.Code);
    }

    return 0;
}

var accounts = int.Parse(args[1]);
var random = new Random(int.Parse(args[2]));
if (args[0] == "record")
{
    while (true)
    {
        var low = random.Next(accounts);
        var high = Math.Min(accounts, low + 1 + random.Next(accounts / 4));
        var mode = random.Next(2) == 0 ? LockMode.Exclusive : LockMode.Shared;
        await using var held = await locks.AcquireAsync("cells", KeyRange.HalfOpen(low, high), mode);
        var from = Stopwatch.GetTimestamp(); // one clock for all processes of a machine
        await Task.Yield();
        var until = Stopwatch.GetTimestamp();
        if (!held.LostToken.IsCancellationRequested) Console.WriteLine($"held {from} {until} {low} {high} {(mode == LockMode.Exclusive ? 'x' : 'r')}");
    }
}

var done = 0;
while (true)
{
    try
    {
        var low = random.Next(accounts);
        await teller.Transfer(low, Math.Min(accounts, low + 1 + random.Next(accounts / 3)), random.Next(), Gate.None, Console.WriteLine);
        if (++done % 5 == 0) Console.WriteLine($"done {done}");
    }
    catch (DbSyncException failure)
    {
        Console.WriteLine(failure.Code); // lost, timed out, or a server away: the next round is a new transfer
    }
    catch (NpgsqlException failure) when (failure.IsTransient)
    {
        Console.WriteLine(failure.SqlState); // the network, a collision: the transfer is not known to have happened, and nothing depends on it
    }
    catch (InvalidOperationException failure) when (failure.InnerException is NpgsqlException)
    {
        Console.WriteLine("broken"); // the connection broke under a transaction
    }
}
