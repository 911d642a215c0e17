using DbSync.Testing;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace DbSync.Benchmarks.Reads;

/// <summary>What the plug-in costs the one who writes: the round trips of SaveChanges, counted by a proxy, alone and with a routed read after it.</summary>
internal static class WriterCost
{
    private const int Writes = 200;

    public static async Task AddAsync(BenchmarkReport report, NodeUnderTest node, CancellationToken cancellationToken)
    {
        await using var proxy = FaultProxy.Before(new NpgsqlConnectionStringBuilder(node.ConnectionString).Port);
        var counted = new NpgsqlConnectionStringBuilder(node.ConnectionString) { Host = "127.0.0.1", Port = proxy.Port }.ConnectionString;
        await using var plain = new ReadsContext(Sides.Options().UseNpgsql(counted).Options);
        await using var routed = new ReadsContext(Sides.Options().UseNpgsql(counted).UseDbSync(node.DataPath, o => o.ThrowOnFallback().WaitUpTo(TimeSpan.FromSeconds(10))).Options);

        async Task SaveAsync(ReadsContext db, int i)
        {
            db.Update(new Parent { Id = 1 + i, Name = $"name {1 + i}", Group = (1 + i) / 50, Value = (1 + i) * 1000 });
            await db.SaveChangesAsync(cancellationToken);
            db.ChangeTracker.Clear();
        }
        async Task<double> CountAsync(Func<int, Task> action)
        {
            await action(0);
            var before = proxy.RoundTrips;
            for (var i = 0; i < Writes; i++) await action(i);
            return (proxy.RoundTrips - before) / (double)Writes;
        }

        KindOfRead.Point.Read(routed, 1); // what is asked once is known
        var alone = await CountAsync(i => SaveAsync(plain, i));
        report.Add(new Figure("round trips of SaveChanges, plain Npgsql", alone, "round trips"));
        report.Add(Figure.AtMost("round trips of SaveChanges beyond plain Npgsql", await CountAsync(i => SaveAsync(routed, i)) - alone, "round trips", 0));
        var withRead = await CountAsync(async i =>
        {
            await SaveAsync(routed, i);
            KindOfRead.Point.Read(routed, i);
        });
        report.Add(new Figure("round trips of SaveChanges and a routed read after it, beyond plain Npgsql's SaveChanges", withRead - alone, "round trips"));
    }
}
