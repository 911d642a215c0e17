using System.Globalization;
using DbSync.Testing;

namespace DbSync.EndToEnd.Tests.Locking;

/// <summary>What several processes say they held, and when, by the clock they share: no two of them held what conflicts.</summary>
[Trait("Needs", "Server")]
public sealed class HistoryTests(PostgresFixture postgres, RedisFixture redis)
{
    private const int Cells = 40;
    private const int HoldsMin = 300;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Intervals_held_by_several_processes_never_conflict_though_some_are_killed()
    {
        var server = await redis.GetServerAsync(Ct);
        var database = await postgres.CreateDatabaseAsync(Ct);
        await using (var primary = new Postgres.Primary(database)) await new Postgres.ControlSchema(primary).UpgradeAsync(Ct);
        var prefix = RedisFixture.NewPrefix();
        var processes = Enumerable.Range(0, 4).Select(Start).ToList();
        try
        {
            for (var i = 0; i < 2; i++)
            {
                await Holds(processes[i], HoldsMin);
                processes[i].Kill();
                processes.Add(Start(10 + i));
            }

            foreach (var process in processes.Skip(2)) await Holds(process, HoldsMin);
        }
        finally
        {
            foreach (var process in processes) await process.DisposeAsync();
        }

        var held = processes.SelectMany(process => process.Lines).Where(line => line.StartsWith("held ", StringComparison.Ordinal)).Select(Hold.Parse).ToList();
        held.Count.ShouldBeGreaterThan(4 * HoldsMin);
        Conflicts(held).ShouldBe(0);
        Conflicts([.. held.Select(hold => hold with { Until = hold.Until + ((hold.Until - hold.From) * 50) + 1_000_000 })]).ShouldBeGreaterThan(0, "or the check sees nothing");

        TestProcess Start(int seed) => TestProcess.Start("dotnet",
            ["exec", Path.Combine(AppContext.BaseDirectory, "DbSync.LockWorker.dll"), "record", $"{Cells}", $"{seed}"],
            new Dictionary<string, string?>(StringComparer.Ordinal)
            {
                ["WORKER_REDIS"] = server.ConnectionString,
                ["WORKER_POSTGRES"] = database,
                ["WORKER_FENCE"] = "off",
                ["WORKER_LEASE_MS"] = "1000",
                ["WORKER_PREFIX"] = prefix,
            });
    }

    private static Task Holds(TestProcess process, int count) => Eventually.Async(() => process.Lines.Count >= count, TimeSpan.FromMinutes(2),
        () => $"{process.Lines.Count} holds of {count}; {process.StandardError}", Ct);

    private static int Conflicts(List<Hold> held)
    {
        var (conflicts, open) = (0, new List<Hold>());
        foreach (var hold in held.OrderBy(hold => hold.From))
        {
            open.RemoveAll(other => other.Until <= hold.From);
            conflicts += open.Count(other => (other.IsExclusive || hold.IsExclusive) && other.Low < hold.High && hold.Low < other.High);
            open.Add(hold);
        }

        return conflicts;
    }

    private sealed record Hold(long From, long Until, int Low, int High, bool IsExclusive)
    {
        public static Hold Parse(string line)
        {
            var words = line.Split(' ');
            return new Hold(Number(words[1]), Number(words[2]), (int)Number(words[3]), (int)Number(words[4]), words[5] == "x");
        }

        private static long Number(string word) => long.Parse(word, CultureInfo.InvariantCulture);
    }
}
