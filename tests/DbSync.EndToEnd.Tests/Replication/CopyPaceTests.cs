using System.Globalization;
using DbSync.Sqlite;
using DbSync.Testing;

namespace DbSync.EndToEnd.Tests.Replication;

/// <summary>What the initial copy holds on the primary and takes from it, and what happens to rows that move between its chunks.</summary>
[Trait("Needs", "Server")]
public sealed class CopyPaceTests(PostgresFixture postgres)
{
    private const int BytesPerSecond = 1 << 20;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task No_transaction_is_open_for_longer_than_a_chunk_and_the_limit_is_kept()
    {
        await using var node = await NodeUnderTest.CreateAsync(
            await postgres.CreateDatabaseAsync(Cancel),
            "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, repeat('x', 500) FROM generate_series(1, 8000) g", "t", Cancel);
        node.Options = new NodeOptions { Copy = new CopyOptions { ChunkBytes = 256 << 10, Parallelism = 2, BytesPerSecondMax = BytesPerSecond } };
        var started = TimeProvider.System.GetTimestamp();
        node.Run();
        var (oldest, eta, percents) = (0.0, false, new SortedSet<double>());
        await Eventually.Async(
            async _ =>
            {
                oldest = Math.Max(oldest, Convert.ToDouble(await node.ScalarAsync(
                    """
                    SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::float8 FROM pg_stat_activity
                    WHERE datname = current_database() AND application_name = 'dbsync' AND backend_type = 'client backend'
                    """), CultureInfo.InvariantCulture));
                if (node.Node.Status().Tables is [var copy])
                {
                    eta |= copy is { EtaMs: > 0, RowsPerSecond: > 0 };
                    percents.Add(copy.Percent);
                }
                return !node.Node.Status().Copying && node.Node.Status().RowsCopied >= 8000;
            },
            TimeSpan.FromSeconds(60), cancellationToken: Cancel);
        var seconds = TimeProvider.System.GetElapsedTime(started).TotalSeconds;
        (8000 * 500 / seconds).ShouldBeLessThan(BytesPerSecond * 1.2);
        oldest.ShouldBeLessThan(seconds / 2, "no snapshot lives as long as the copy");
        eta.ShouldBeTrue();
        percents.Count.ShouldBeGreaterThan(2);
        await ReplicationTests.ShouldEndEqualAsync(node);
    }

    /// <summary>An unchanged value of TOAST is not in the log: the row is read by itself, and no chunk is read again.</summary>
    [Fact]
    public async Task Rows_with_large_values_that_move_between_chunks_are_read_by_themselves()
    {
        await using var node = await NodeUnderTest.CreateAsync(
            await postgres.CreateDatabaseAsync(Cancel),
            """
            CREATE TABLE big (id int PRIMARY KEY, n int, filler text, body text);
            ALTER TABLE big ALTER body SET STORAGE EXTERNAL;
            INSERT INTO big SELECT g * 2, 0, repeat('f', 300), repeat(md5(g::text), 90) FROM generate_series(1, 1200) g;
            """,
            "big", Cancel);
        node.Options = new NodeOptions { Copy = new CopyOptions { ChunkBytes = 48 << 10, Parallelism = 1, ChunksHeldMax = 1, BytesPerSecondMax = BytesPerSecond } };
        node.Run();
        await node.UntilAsync(s => s.ChunksRead > 1);
        for (var i = 0; node.Node.Status().Copying; i++) // from the end, not read yet, to the beginning, which is here; and on again
        {
            await node.ExecuteAsync($"UPDATE big SET id = {1 + (2 * i)}, n = n + 1 WHERE id = {2400 - (2 * i)}");
            await node.ExecuteAsync($"UPDATE big SET n = n + 1 WHERE id = {1 + (2 * i)}");
            if (i % 3 == 0) await node.ExecuteAsync($"DELETE FROM big WHERE id = {1 + (2 * i)}");
            if (i % 5 == 1) await node.ExecuteAsync($"UPDATE big SET id = {-1 - i} WHERE id = {1 + (2 * i)}");
        }
        await node.CatchUpAsync();
        var read = node.Node.Status().ChunksRead;
        await node.StopAsync();
        await ReplicationTests.ShouldBeEqualAsync(node);
        using var shard = new SqliteDatabase(Path.Combine(node.DataPath, "s0.1.db"), "shard");
        var planned = shard.QueryInteger("SELECT sum(chunks) FROM \"dbsync.table\"");
        planned.ShouldBeGreaterThan(5);
        read.ShouldBe(planned, "no chunk is read twice");
        shard.QueryInteger("SELECT count(*) FROM \"dbsync.row\"").ShouldBe(0);
    }

    [Fact]
    public async Task The_lag_is_told_as_it_is_while_nothing_is_written_and_while_nothing_is_applied()
    {
        await using var node = await NodeUnderTest.CreateAsync(await postgres.CreateDatabaseAsync(Cancel), "CREATE TABLE t (id int PRIMARY KEY)", "t", Cancel);
        node.Run();
        await node.CatchUpAsync();
        await node.UntilAsync(s => s.LagMs is < 1000);
        using (var blocker = new SqliteDatabase(Path.Combine(node.DataPath, "s0.1.db"), "shard")) // the shard can't commit meanwhile
        {
            blocker.Execute("BEGIN IMMEDIATE");
            await node.ExecuteAsync("INSERT INTO t SELECT generate_series(1, 1000)");
            await node.UntilAsync(s => s.LagMs > 2500 && Lsn.BytesBetween(Lsn.Parse(s.PrimaryLsn), Lsn.Parse(s.AppliedLsn)) > 30_000);
            blocker.Execute("ROLLBACK");
        }
        await node.UntilAsync(s => s.LagMs is < 1000 && Lsn.BytesBetween(Lsn.Parse(s.PrimaryLsn), Lsn.Parse(s.AppliedLsn)) < 10_000);
        var confirmed = Lsn.Parse((string)(await node.ScalarAsync($"SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = '{node.Slot}'"))!);
        await Eventually.Async( // nothing but heartbeats: the log is let go all the same
            async _ => Lsn.Parse((string)(await node.ScalarAsync($"SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = '{node.Slot}'"))!),
            now => now > confirmed, cancellationToken: Cancel);
    }
}
