using System.Buffers.Binary;
using DbSync.EntityFrameworkCore.Replicas;
using DbSync.EntityFrameworkCore.Routing;
using DbSync.EntityFrameworkCore.Tests.Consistency;
using DbSync.EntityFrameworkCore.Tests.Shop;
using DbSync.Sqlite;
using DbSync.Testing;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace DbSync.EntityFrameworkCore.Tests.Routing;

/// <summary>A replica that breaks, before or while it is read, breaks no application: what it can't give the primary gives.</summary>
[Trait("Needs", "Server")]
public sealed class BrokenReplicaTests(ShopFixture shop) : IDisposable
{
    private const int Rows = 5_000;

    private readonly TemporaryDirectory _copies = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _copies.Dispose();

    [Fact]
    public async Task A_page_that_is_damaged_among_the_first_rows_is_found_before_any_is_given_out()
    {
        await using var node = await NodeAsync();
        var damaged = Damage(node, "near", row: 50);
        await using var db = Context(node, damaged);
        await foreach (var counter in db.Counters.AsNoTracking().OrderBy(c => c.Id).AsAsyncEnumerable().WithCancellation(Cancel)) counter.Value.ShouldBe(-counter.Id);
        db.GetLastRoute()!.Reason.ShouldBe(RouteReason.Failed); // the replica was asked first
        db.Counters.AsNoTracking().GetRoute().Reason.ShouldBe(RouteReason.Failed); // and is asked no more

        await using var sync = Context(node, Damage(node, "near, without awaiting", row: 50));
        sync.Counters.AsNoTracking().OrderBy(c => c.Id).AsEnumerable().Select(c => c.Id).ShouldBe(Enumerable.Range(0, Rows));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_page_that_is_damaged_far_behind_the_first_rows_is_a_lost_connection_to_the_application_and_the_next_try_is_the_primarys(bool async)
    {
        await using var node = await NodeAsync();
        await using var db = Context(node, Damage(node, $"far {async}", row: Rows - 100));
        var query = db.Counters.AsNoTracking().OrderBy(c => c.Id);
        var seen = 0;
        async Task ReadAsync()
        {
            if (async) await foreach (var _ in query.AsAsyncEnumerable().WithCancellation(Cancel)) seen++;
            else foreach (var _ in query) seen++;
        }
        var lost = await Should.ThrowAsync<NpgsqlException>(ReadAsync);
        seen.ShouldBeInRange(RowsAhead.Max, Rows - 1);
        lost.IsTransient.ShouldBeTrue();
        lost.InnerException!.InnerException.ShouldBeOfType<DbSyncException>().InnerException.ShouldBeOfType<SqliteException>();
        seen = 0;
        await ReadAsync();
        seen.ShouldBe(Rows);
        db.GetLastRoute()!.Reason.ShouldBe(RouteReason.Failed);
    }

    [Fact]
    public async Task Where_EF_Core_retries_no_query_sees_a_replica_break()
    {
        await using var node = await NodeAsync();
        await using var db = Context(node, Damage(node, "retried", row: Rows - 100), o => o.EnableRetryOnFailure());
        (await db.Counters.AsNoTracking().OrderBy(c => c.Id).ToListAsync(Cancel)).Select(c => c.Id).ShouldBe(Enumerable.Range(0, Rows));
        db.Counters.AsNoTracking().GetRoute().Reason.ShouldBe(RouteReason.Failed);
    }

    [Fact]
    public async Task A_damaged_file_is_read_again_when_another_takes_its_place()
    {
        await using var node = await NodeAsync();
        var directory = Damage(node, "mended", row: 50);
        await using var db = Context(node, directory);
        (await db.Counters.AsNoTracking().ToListAsync(Cancel)).Count.ShouldBe(Rows);
        db.Counters.AsNoTracking().GetRoute().Reason.ShouldBe(RouteReason.Failed);
        var file = NodeFile.Load(directory);
        var next = NodeFile.FileNameOf(file.Shards[0].Id, 7);
        File.Copy(Path.Combine(node.DataPath, file.Shards[0].File), Path.Combine(directory, next));
        (file with { Shards = [file.Shards[0] with { File = next }] }).Save(directory);
        await Eventually.Async(() => db.Counters.AsNoTracking().GetRoute().IsReplica, cancellationToken: Cancel);
        (await db.Counters.AsNoTracking().ToListAsync(Cancel)).Count.ShouldBe(Rows);
        db.GetLastRoute()!.IsReplica.ShouldBeTrue();
    }

    [Fact]
    public async Task A_deleted_file_is_the_primarys_work()
    {
        await using var node = await NodeAsync();
        var directory = Copy(node, "deleted");
        await using var db = Context(node, directory);
        var query = db.Counters.AsNoTracking().OrderBy(c => c.Id);
        var seen = 0;
        await foreach (var counter in query.AsAsyncEnumerable().WithCancellation(Cancel))
            if (seen++ == RowsAhead.Max * 2) // what is being read stays
                foreach (var path in Directory.GetFiles(directory, "*.db*")) File.Delete(path);
        seen.ShouldBe(Rows);
        ReplicaDirectory.For(directory).CloseIdle();
        db.Counters.AsNoTracking().GetRoute().Reason.ShouldBe(RouteReason.NoReplica);
        (await query.CountAsync(Cancel)).ShouldBe(Rows);
    }

    [Fact]
    public async Task A_directory_that_may_not_be_read_is_the_primarys_work()
    {
        await using var node = await NodeAsync();
        var directory = Copy(node, "a directory in the place of node.json");
        File.Delete(Path.Combine(directory, NodeFile.FileName));
        Directory.CreateDirectory(Path.Combine(directory, NodeFile.FileName));
        await using var db = Context(node, directory);
        (await db.Counters.AsNoTracking().CountAsync(Cancel)).ShouldBe(Rows);
    }

    [Theory]
    [InlineData(typeof(IOException), true)]
    [InlineData(typeof(UnauthorizedAccessException), true)]
    [InlineData(typeof(OperationCanceledException), false)]
    [InlineData(typeof(InvalidOperationException), false)]
    public void What_may_come_of_a_disk_is_a_failure_of_the_replica(Type type, bool isIts) =>
        Router.IsReplicaFailure((Exception)Activator.CreateInstance(type)!).ShouldBe(isIts);

    [Fact]
    public async Task One_missing_shard_of_three_sends_its_rows_and_what_asks_all_to_the_primary()
    {
        await using var node = await ShopFixture.StartAsync(await shop.CreateDatabaseAsync(), shards: 3);
        await node.StopAsync();
        var directory = node.DataPath;
        File.Delete(Path.Combine(directory, NodeFile.Load(directory).Shards[1].File));
        await using var db = new ShopContext(ShopFixture.Options(node.ConnectionString)
            .UseDbSync(directory, o => o.UseConsistency(ReadConsistency.Eventual).WaitUpTo(TimeSpan.FromSeconds(30))).Options);
        var routes = new Dictionary<RouteReason, int>();
        for (var id = 1; id <= 60; id++)
        {
            (await db.Customers.Where(c => c.Id == id).Select(c => c.Id).SingleAsync(Cancel)).ShouldBe(id);
            var reason = db.GetLastRoute()!.Reason;
            routes[reason] = routes.GetValueOrDefault(reason) + 1;
        }
        routes.Keys.ShouldBe([RouteReason.Replica, RouteReason.NoReplica], ignoreOrder: true);
        (await db.Customers.CountAsync(Cancel)).ShouldBe(60);
        db.GetLastRoute()!.Reason.ShouldBe(RouteReason.NoReplica);
    }

    private async Task<NodeUnderTest> NodeAsync()
    {
        var node = await NodeUnderTest.CreateAsync(
            await shop.CreateDatabaseAsync(), $"CREATE TABLE counters (id int PRIMARY KEY, value bigint NOT NULL); INSERT INTO counters SELECT g, -g FROM generate_series(0, {Rows - 1}) g", "counters", Cancel);
        node.Run();
        await node.CatchUpAsync();
        await node.StopAsync();
        return node;
    }

    private static CounterContext Context(
        NodeUnderTest node, string directory, Action<Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure.NpgsqlDbContextOptionsBuilder>? configure = null) => new(
        new DbContextOptionsBuilder<CounterContext>().OfManyKinds().UseNpgsql(node.ConnectionString, configure).UseDbSync(directory, o => o.LimitStaleness(null).UseConsistency(ReadConsistency.Eventual)).Options);

    /// <summary>A copy of the node's directory whose file is damaged where a row is.</summary>
    private string Damage(NodeUnderTest node, string name, int row)
    {
        var directory = Copy(node, name);
        var path = Path.Combine(directory, NodeFile.Load(directory).Shards[0].File);
        using (var file = new SqliteDatabase(path, "shard")) file.Execute("PRAGMA wal_checkpoint(TRUNCATE)");
        var bytes = File.ReadAllBytes(path);
        var seen = 0;
        var page = LeavesUnder(bytes, RootOf(path)).First(l => (seen += CellsOf(bytes, l)) > row);
        bytes.AsSpan(page * PageBytes(bytes), PageBytes(bytes)).Fill(0xFF);
        File.WriteAllBytes(path, bytes);
        return directory;
    }

    private static int RootOf(string path)
    {
        using var connection = new SqliteConnection($"Data Source={path};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT rootpage - 1 FROM sqlite_master WHERE name = 'counters'";
        return (int)(long)command.ExecuteScalar()!;
    }

    /// <summary>The leaves of a B-tree in the order of their keys (https://sqlite.org/fileformat.html#b_tree_pages).</summary>
    private static IEnumerable<int> LeavesUnder(byte[] bytes, int page)
    {
        const int InteriorHead = 12;
        var at = page * PageBytes(bytes);
        if (bytes[at] is not (2 or 5)) return [page];
        var cells = Enumerable.Range(0, CellsOf(bytes, page)).Select(i => at + BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(at + InteriorHead + (2 * i))));
        return cells.Append(at + 8).SelectMany(child => LeavesUnder(bytes, BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(child)) - 1));
    }

    private static int PageBytes(byte[] bytes) => BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(16)) is var size and not 1 ? size : 65_536;

    private static int CellsOf(byte[] bytes, int page) => BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan((page * PageBytes(bytes)) + 3));

    private string Copy(NodeUnderTest node, string name)
    {
        var directory = Path.Combine(_copies.Path, name);
        Directory.CreateDirectory(directory);
        File.Copy(Path.Combine(node.DataPath, NodeFile.FileName), Path.Combine(directory, NodeFile.FileName));
        foreach (var shard in NodeFile.Load(directory).Shards)
        {
            using var file = new SqliteDatabase(Path.Combine(node.DataPath, shard.File), "shard");
            file.Execute($"VACUUM INTO '{Path.Combine(directory, shard.File)}'");
        }
        return directory;
    }
}
