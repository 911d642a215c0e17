using DbSync.EntityFrameworkCore.Routing;
using DbSync.EntityFrameworkCore.Tests.Shop;
using DbSync.Sqlite;
using DbSync.Testing;
using Microsoft.EntityFrameworkCore;

namespace DbSync.EntityFrameworkCore.Tests.Consistency;

/// <summary>Every level under every refusal, beside a replica in every state: a read sees what its level promises, at worst from the primary.</summary>
[Trait("Needs", "Server")]
public sealed class ConsistencyMatrixTests(ShopFixture shop)
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(15);
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(30);

    private static readonly ReadConsistency[] Promising =
        [ReadConsistency.Strong, ReadConsistency.Session, ReadConsistency.BoundedStaleness(TimeSpan.FromMilliseconds(1))];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_level_keeps_its_promise_beside_a_replica_in_every_state()
    {
        await using var node = await NodeUnderTest.CreateAsync(await shop.CreateDatabaseAsync(), CounterContext.Schema, "counters", Cancel);
        node.Run();
        await node.CatchUpAsync();
        var session = new DbSyncSession();

        // Behind, and coming: who waits gets it from the replica.
        foreach (var level in Promising)
        {
            var brake = new ApplyBrake(node);
            var written = await WriteAsync(node, session);
            var reading = ReadAsync(node, session, level, Long, OnRefusal.Primary);
            (await ReadAsync(node, session, ReadConsistency.Eventual, Long, OnRefusal.Throw)).ShouldBe((written - 1, RouteReason.Replica), "behind");
            reading.IsCompleted.ShouldBeFalse($"{level} must wait");
            brake.Dispose();
            (await reading).ShouldBe((written, RouteReason.Replica), $"behind, {level}");
        }

        // Alive, and nothing of it becomes visible.
        using (new ApplyBrake(node)) await RefusedAsync(node, session, "stalled");

        await node.StopAsync();
        await RefusedAsync(node, session, "stopped");

        var here = NodeFile.Load(node.DataPath);
        (here with { StaleSince = DateTimeOffset.UnixEpoch }).Save(node.DataPath);
        var last = await RefusedAsync(node, session, "everything is copied again", waits: false);
        here.Save(node.DataPath);

        using (var shard = new SqliteDatabase(Path.Combine(node.DataPath, here.Shards[0].File), "shard"))
            shard.Execute("UPDATE \"dbsync.table\" SET state = 1 WHERE name = 'counters'; UPDATE \"dbsync.shard\" SET schema_changes = schema_changes + 1");
        await AnsweredAsync(node, session, last, RouteReason.Copying);

        File.Move(Path.Combine(node.DataPath, here.Shards[0].File), Path.Combine(node.DataPath, "away"));
        File.Delete(Path.Combine(node.DataPath, NodeFile.FileName));
        await AnsweredAsync(node, session, last, RouteReason.NoReplica);
    }

    [Theory]
    [InlineData("Options", "-c synchronous_commit=off")]
    [InlineData("Options", "-c synchronous_commit=local")]
    public async Task Commits_that_are_answered_before_they_are_on_disk_are_read_all_the_same(string key, string value)
    {
        await using var node = await NodeUnderTest.CreateAsync(await shop.CreateDatabaseAsync(), CounterContext.Schema, "counters", Cancel);
        node.Run();
        await node.CatchUpAsync();
        var hasty = new Npgsql.NpgsqlConnectionStringBuilder(node.ConnectionString) { [key] = value }.ConnectionString;
        await using var db = new CounterContext(new DbContextOptionsBuilder<CounterContext>().OfManyKinds().UseNpgsql(hasty)
            .UseDbSync(node.DataPath, o => o.WaitUpTo(Long).ThrowOnFallback()).Options);
        for (var written = 1; written <= 10; written++)
        {
            (await db.Counters.SingleAsync(c => c.Id == 1, Cancel)).Value = written;
            await db.SaveChangesAsync(Cancel);
            db.ChangeTracker.Clear();
            (await db.Counters.AsNoTracking().Where(c => c.Id == 1).Select(c => c.Value).SingleAsync(Cancel)).ShouldBe(written);
        }
    }

    /// <summary>A context may read while the rows of an earlier query are still coming; they share a snapshot, which is as old as the first.</summary>
    [Fact]
    public async Task A_read_beside_open_rows_is_as_fresh_as_it_asks_to_be()
    {
        await using var node = await NodeUnderTest.CreateAsync(await shop.CreateDatabaseAsync(), CounterContext.Schema, "counters", Cancel);
        node.Run();
        await node.CatchUpAsync();
        await using var db = CounterContext.On(node, o => o.WaitUpTo(Short));
        await foreach (var _ in db.Counters.AsNoTracking().WithConsistency(ReadConsistency.Eventual).OrderBy(c => c.Id).AsAsyncEnumerable().WithCancellation(Cancel))
        {
            await node.ExecuteAsync("UPDATE counters SET value = 5");
            await node.CatchUpAsync();
            foreach (var level in Promising.Where(l => l != ReadConsistency.Session))
                (await db.Counters.AsNoTracking().WithConsistency(level).Where(c => c.Id == 1).Select(c => c.Value).SingleAsync(Cancel)).ShouldBe(5, level.ToString());
            break;
        }
    }

    /// <summary>Somebody holds the row that readers beat in, so that none of them moves the replica on.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_read_whose_nudge_is_held_up_is_refused_in_time(bool async)
    {
        await using var node = await NodeUnderTest.CreateAsync(await shop.CreateDatabaseAsync(), CounterContext.Schema, "counters", Cancel);
        node.Run();
        await node.CatchUpAsync();
        await node.StopAsync();
        await using var holder = new Npgsql.NpgsqlConnection(node.ConnectionString);
        await holder.OpenAsync(Cancel);
        await using var held = await holder.BeginTransactionAsync(Cancel);
        await using (var nudge = new Npgsql.NpgsqlCommand("SELECT dbsync.nudge()", holder)) await nudge.ExecuteNonQueryAsync(Cancel);

        await using var db = CounterContext.On(node, o => o.WaitUpTo(TimeSpan.FromMilliseconds(200), OnRefusal.Throw));
        var started = TimeProvider.System.GetTimestamp();
        await db.Counters.Where(c => c.Id == 1).ExecuteUpdateAsync(s => s.SetProperty(c => c.Value, 5), Cancel);
        (async
            ? await Should.ThrowAsync<DbSyncException>(() => db.Counters.AsNoTracking().CountAsync(Cancel))
            : Should.Throw<DbSyncException>(() => db.Counters.AsNoTracking().Count())).Code.ShouldBe(ErrorCodes.NotFreshEnough);
        TimeProvider.System.GetElapsedTime(started).ShouldBeLessThan(Long / 2);
        db.Counters.AsNoTracking().UsePrimary().Single(c => c.Id == 1).Value.ShouldBe(5); // the connection is as good as before
    }

    /// <summary>Nobody answers the question where the primary is.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_strong_read_beside_a_primary_that_stands_still_is_refused_in_time(bool async)
    {
        await using var node = await NodeUnderTest.CreateAsync(await shop.CreateDatabaseAsync(), CounterContext.Schema, "counters", Cancel);
        node.Run();
        await node.CatchUpAsync();
        var direct = new Npgsql.NpgsqlConnectionStringBuilder(node.ConnectionString);
        await using var proxy = FaultProxy.Before(direct.Port, direct.Host!);
        var through = new Npgsql.NpgsqlConnectionStringBuilder(node.ConnectionString) { Host = "127.0.0.1", Port = proxy.Port, Timeout = 2 }.ConnectionString; // for so long Npgsql tries to cancel what is not answered
        await using var db = new CounterContext(new DbContextOptionsBuilder<CounterContext>().OfManyKinds().UseNpgsql(through)
            .UseDbSync(node.DataPath, o => o.UseConsistency(ReadConsistency.Strong).WaitUpTo(TimeSpan.FromMilliseconds(200), OnRefusal.Throw)).Options);
        await Eventually.Async(async _ => { try { return await db.Counters.AsNoTracking().CountAsync(Cancel); } catch (DbSyncException) { return 0; } }, count => count == 64, cancellationToken: Cancel);

        proxy.Stall();
        var started = TimeProvider.System.GetTimestamp();
        (async
            ? await Should.ThrowAsync<DbSyncException>(() => db.Counters.AsNoTracking().CountAsync(Cancel))
            : Should.Throw<DbSyncException>(() => db.Counters.AsNoTracking().Count())).Code.ShouldBe(ErrorCodes.NotFreshEnough);
        TimeProvider.System.GetElapsedTime(started).ShouldBeLessThan(Long / 2);
        proxy.Mend();
    }

    /// <summary>The command is cancelled, and what it did stays done.</summary>
    [Fact]
    public async Task What_a_cancelled_command_has_committed_is_read()
    {
        await using var node = await NodeUnderTest.CreateAsync(
            await shop.CreateDatabaseAsync(),
            CounterContext.Schema + "CREATE PROCEDURE slow() LANGUAGE plpgsql AS 'BEGIN UPDATE counters SET value = 6 WHERE id = 1; COMMIT; PERFORM pg_sleep(60); END'", "counters", Cancel);
        node.Run();
        await node.CatchUpAsync();
        await using var db = CounterContext.On(node, o => o.WaitUpTo(Short));
        (await db.Counters.AsNoTracking().CountAsync(Cancel)).ShouldBe(64);
        await node.StopAsync();
        using var cancelled = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var writing = db.Database.ExecuteSqlAsync($"CALL slow()", cancelled.Token);
        await Eventually.Async(async _ => (long)(await node.ScalarAsync("SELECT value FROM counters WHERE id = 1"))! == 6, cancellationToken: Cancel);
        await cancelled.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => writing);
        (await db.Counters.AsNoTracking().Where(c => c.Id == 1).Select(c => c.Value).SingleAsync(Cancel)).ShouldBe(6);
    }

    /// <summary>The replica doesn't come to what was written: the primary answers, or the read says so, both in time; what asks for nothing is answered.</summary>
    private static async Task<long> RefusedAsync(NodeUnderTest node, DbSyncSession session, string state, bool waits = true)
    {
        var written = await WriteAsync(node, session);
        (await ReadAsync(node, session, ReadConsistency.Eventual, TimeSpan.Zero, OnRefusal.Throw)).ShouldSatisfyAllConditions(
            read => read.Value.ShouldBeLessThan(written), read => read.Route.ShouldBe(RouteReason.Replica));
        foreach (var level in Promising)
        {
            var patience = waits ? Short : Long; // what stands still is not waited for
            var started = TimeProvider.System.GetTimestamp();
            (await ReadAsync(node, session, level, patience, OnRefusal.Primary)).ShouldBe((written, RouteReason.NotFresh), $"{state}, {level}");
            (await Should.ThrowAsync<DbSyncException>(() => ReadAsync(node, session, level, patience, OnRefusal.Throw), $"{state}, {level}")).Code.ShouldBe(ErrorCodes.NotFreshEnough);
            TimeProvider.System.GetElapsedTime(started).ShouldBeLessThan(Long / 2);
        }
        return written;
    }

    /// <summary>There is nothing to wait for: the primary answers, whatever the level and the refusal.</summary>
    private static async Task AnsweredAsync(NodeUnderTest node, DbSyncSession session, long written, RouteReason reason)
    {
        await Eventually.Async(async _ => (await ReadAsync(node, session, ReadConsistency.Eventual, Long, OnRefusal.Primary)).Route == reason, cancellationToken: Cancel);
        foreach (var level in Promising.Append(ReadConsistency.Eventual))
            foreach (var refusal in Enum.GetValues<OnRefusal>())
                (await ReadAsync(node, session, level, Long, refusal)).ShouldBe((written, reason), $"{level}, {refusal}");
    }

    private static async Task<long> WriteAsync(NodeUnderTest node, DbSyncSession session)
    {
        await using var db = CounterContext.On(node);
        db.UseSyncSession(session);
        await db.Counters.Where(c => c.Id == 1).ExecuteUpdateAsync(s => s.SetProperty(c => c.Value, c => c.Value + 1), Cancel);
        return (long)(await node.ScalarAsync("SELECT value FROM counters WHERE id = 1"))!;
    }

    private static async Task<(long Value, RouteReason Route)> ReadAsync(NodeUnderTest node, DbSyncSession session, ReadConsistency level, TimeSpan wait, OnRefusal then)
    {
        await using var db = CounterContext.On(node, o => o.UseConsistency(level).WaitUpTo(wait, then));
        db.UseSyncSession(session);
        var route = RouteReason.Failed;
        RouteLog.Observer.Value = (reason, _) => route = reason;
        return (await db.Counters.AsNoTracking().Where(c => c.Id == 1).Select(c => c.Value).SingleAsync(Cancel), route);
    }
}
