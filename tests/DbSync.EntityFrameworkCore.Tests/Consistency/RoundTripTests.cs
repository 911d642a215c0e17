using DbSync.EntityFrameworkCore.Tests.Shop;
using DbSync.Testing;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace DbSync.EntityFrameworkCore.Tests.Consistency;

/// <summary>What reading one's own writes costs the one who writes: nothing, until there is a read.</summary>
[Trait("Needs", "Server")]
public sealed class RoundTripTests(ShopFixture shop)
{
    private const int Writes = 10;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Writing_asks_the_primary_nothing_more_until_a_routed_read_follows()
    {
        await using var node = await NodeUnderTest.CreateAsync(await shop.CreateDatabaseAsync(), CounterContext.Schema, "counters", Cancel);
        node.Run();
        await node.CatchUpAsync();
        await using var proxy = FaultProxy.Before(new NpgsqlConnectionStringBuilder(node.ConnectionString).Port);
        var counted = new NpgsqlConnectionStringBuilder(node.ConnectionString) { Host = "127.0.0.1", Port = proxy.Port }.ConnectionString;
        var options = new DbContextOptionsBuilder<CounterContext>().OfManyKinds().UseNpgsql(counted);
        await using var plain = new CounterContext(options.Options);
        await using var routed = new CounterContext(options.UseDbSync(node.DataPath, o => o.WaitUpTo(TimeSpan.FromSeconds(30)).ThrowOnFallback()).Options);

        async Task<long> CountAsync(Func<Task> action)
        {
            await action();
            var before = proxy.RoundTrips;
            for (var time = 0; time < Writes; time++) await action();
            return proxy.RoundTrips - before;
        }
        async Task SaveAsync(CounterContext db)
        {
            db.Update(new Counter { Id = 1, Value = Random.Shared.NextInt64() });
            await db.SaveChangesAsync(Cancel);
            db.ChangeTracker.Clear();
        }
        Task UpdateAsync(CounterContext db) => db.Counters.Where(c => c.Id == 1).ExecuteUpdateAsync(s => s.SetProperty(c => c.Value, c => c.Value + 1), Cancel);
        async Task CommitAsync(CounterContext db)
        {
            await using var transaction = await db.Database.BeginTransactionAsync(Cancel);
            await UpdateAsync(db);
            await SaveAsync(db);
            await transaction.CommitAsync(Cancel);
        }
        Task ReadAsync() => routed.Counters.AsNoTracking().CountAsync(Cancel);

        await ReadAsync(); // what is asked once is known
        foreach (var write in new[] { SaveAsync, UpdateAsync, CommitAsync })
        {
            var cost = await CountAsync(() => write(plain));
            cost.ShouldBeGreaterThanOrEqualTo(Writes);
            (await CountAsync(() => write(routed))).ShouldBe(cost, write.Method.Name);
        }
        await ReadAsync();
        (await CountAsync(ReadAsync)).ShouldBe(0, "nothing was written, so nothing is asked");
        var withReads = await CountAsync(async () =>
        {
            await UpdateAsync(routed);
            await ReadAsync();
        });
        withReads.ShouldBeInRange(2 * Writes, (3 * Writes) + 1); // the position, and a nudge where the log doesn't come by itself
    }
}
