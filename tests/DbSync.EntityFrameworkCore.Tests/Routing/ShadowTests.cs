using DbSync.EntityFrameworkCore.Routing;
using DbSync.EntityFrameworkCore.Tests.Consistency;
using DbSync.EntityFrameworkCore.Tests.Shop;
using DbSync.Sqlite;
using DbSync.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;

namespace DbSync.EntityFrameworkCore.Tests.Routing;

[Trait("Needs", "Server")]
public sealed class ShadowTests(ShopFixture shop)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task In_the_shadow_the_primary_answers_and_differences_are_events_that_show_the_querys_shape_without_values()
    {
        await using var node = await NodeUnderTest.CreateAsync(await shop.CreateDatabaseAsync(), CounterContext.Schema, "counters", Cancel);
        await node.ExecuteAsync("UPDATE counters SET value = value WHERE id = 0"); // PostgreSQL's heap now has it last
        node.Run();
        await node.CatchUpAsync();
        var options = new DbContextOptionsBuilder<CounterContext>().OfManyKinds().UseNpgsql(node.ConnectionString)
            .UseDbSync(node.DataPath, o => o.UseRouting(RoutingMode.Shadow).WaitUpTo(TimeSpan.FromSeconds(30)))
            .ConfigureWarnings(w => w.Log((DbSyncEventId.ShadowDiffers, LogLevel.Critical)));
        var events = new List<string>();
        await using var db = new CounterContext(options.LogTo(events.Add, LogLevel.Critical).Options);
        (await db.Counters.AsNoTracking().OrderBy(c => c.Id).ToListAsync(Cancel)).Count.ShouldBe(64);
        (await db.Counters.AsNoTracking().Select(c => c.Id).ToListAsync(Cancel))[^1].ShouldBe(0); // another order than SQLite's, and none was asked for
        db.Counters.AsNoTracking().Count().ShouldBe(64);
        events.ShouldBeEmpty();

        await DamageAsync(node, "UPDATE counters SET value = id * 1000 + 500");
        var (secret, name) = (424_241, "hidden");
        await db.Counters.AsNoTracking().Where(c => c.Value < 424_242 && c.Id != secret && c.Id == 7 && true == (name == "hidden")).ToListAsync(Cancel);
        events.ShouldHaveSingleItem().ShouldContain("the replica answered a query differently (1 rows from the primary, 1 from the replica)");
        events[0].ShouldContain("Counter");
        events[0].ShouldContain(".Where(c => c.Value < value && c.Id != @secret && c.Id == value");
        foreach (var value in (string[])["424", "== 7", "hidden", "7500", "True"]) events[0].ShouldNotContain(value);

        await DamageAsync(node, "DELETE FROM counters WHERE id > 9"); // what must never happen
        (await db.Counters.AsNoTracking().OrderBy(c => c.Id).ToListAsync(Cancel)).Count.ShouldBe(64);
        db.Counters.AsNoTracking().OrderBy(c => c.Id).ToList().Count.ShouldBe(64);
        db.Counters.AsNoTracking().Count().ShouldBe(64);
        events.Count.ShouldBe(4);
    }

    [Fact]
    public async Task Rows_that_have_an_order_are_compared_in_it()
    {
        await using var node = await NodeUnderTest.CreateAsync(await shop.CreateDatabaseAsync(), CounterContext.Schema + "UPDATE counters SET value = id;", "counters", Cancel);
        node.Run();
        await node.CatchUpAsync();
        await DamageAsync(node, "UPDATE counters SET value = -value");
        var events = new List<string>();
        await using var db = new CounterContext(new DbContextOptionsBuilder<CounterContext>().OfManyKinds().UseNpgsql(node.ConnectionString)
            .UseDbSync(node.DataPath, o => o.UseRouting(RoutingMode.Shadow).WaitUpTo(TimeSpan.FromSeconds(30)))
            .LogTo(events.Add, [DbSyncEventId.ShadowDiffers]).Options);
        (await db.Counters.AsNoTracking().Select(c => c.Id).ToListAsync(Cancel)).Count.ShouldBe(64);
        (await db.Counters.AsNoTracking().OrderBy(c => c.Value).Select(c => c.Id).Distinct().ToListAsync(Cancel)).Count.ShouldBe(64); // the order is gone again
        events.ShouldBeEmpty();
        (await db.Counters.AsNoTracking().OrderBy(c => c.Value).Where(c => c.Id >= 0).Select(c => c.Id).ToListAsync(Cancel))[0].ShouldBe(0);
        events.ShouldHaveSingleItem().ShouldContain(".OrderBy(c => c.Value)");
    }

    /// <summary>What a row includes has no order of its own; a list of values has.</summary>
    [Fact]
    public void Objects_inside_rows_are_compared_in_any_order_and_lists_of_values_in_theirs()
    {
        object Row(params int[] ids) => new { Name = "a", Lines = ids.Select(i => new { Id = i, Parts = ids.Select(p => new { Part = p }).ToArray() }).ToList() };
        AnswerText.Of(new List<object> { Row(1, 2), Row(3) }, isOrdered: true).ShouldBe(AnswerText.Of(new List<object> { Row(2, 1), Row(3) }, isOrdered: true));
        AnswerText.Of(new List<object> { Row(1, 2), Row(3) }, isOrdered: true).ShouldNotBe(AnswerText.Of(new List<object> { Row(3), Row(1, 2) }, isOrdered: true));
        AnswerText.Of(new List<object> { Row(1, 2), Row(3) }, isOrdered: false).ShouldBe(AnswerText.Of(new List<object> { Row(3), Row(2, 1) }, isOrdered: false));
        AnswerText.Of(new List<object> { Row(3), Row(3) }, isOrdered: false).ShouldNotBe(AnswerText.Of(new List<object> { Row(3) }, isOrdered: false));
        AnswerText.Of(new { Tags = new[] { 1, 2 } }, isOrdered: true).ShouldNotBe(AnswerText.Of(new { Tags = new[] { 2, 1 } }, isOrdered: true));
    }

    /// <summary>Changes a replica behind its node's back: what must never happen.</summary>
    private static async Task DamageAsync(NodeUnderTest node, string sql)
    {
        await node.StopAsync();
        using (var shard = new SqliteDatabase(Directory.GetFiles(node.DataPath, "*.db").Single(), "shard")) shard.Execute(sql);
        node.Run();
    }
}
