using DbSync.EntityFrameworkCore.Consistency;
using DbSync.EntityFrameworkCore.Tests.Shop;
using Npgsql;

namespace DbSync.EntityFrameworkCore.Tests.Consistency;

[Trait("Needs", "Server")]
public sealed class PrimaryFactsTests(ShopFixture shop)
{
    /// <summary>Between asking and hearing, seconds pass; where in between the primary looked at its clock, nobody knows.</summary>
    [Fact]
    public async Task A_slow_answer_never_makes_a_replica_look_younger()
    {
        var cancel = TestContext.Current.CancellationToken;
        await using var connection = new NpgsqlConnection((await shop.GetAsync()).ConnectionString);
        await connection.OpenAsync(cancel);
        var facts = await PrimaryFacts.ReadAsync(connection, "dbsync_main", ignoreRowSecurity: false, new SlowClock(), async: true, cancel);
        facts.ClockOffset.ShouldBeGreaterThan(TimeSpan.FromSeconds(-1));
    }

    /// <summary>Each look at it is ten seconds after the one before.</summary>
    private sealed class SlowClock : TimeProvider
    {
        private int _looks;

        public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + (TimeSpan.FromSeconds(10) * _looks++);
    }
}
