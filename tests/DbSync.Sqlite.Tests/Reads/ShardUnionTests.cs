using DbSync.Testing;
using Microsoft.Data.Sqlite;

namespace DbSync.Sqlite.Tests.Reads;

/// <summary>All shards of a node read as one, attached or scanned, whatever the number of copies of a row.</summary>
public sealed class ShardUnionTests : IDisposable
{
    private const int Rows = 2000;
    private static readonly TableSchema Orders = TestTable.Create("orders", columns: 3, oid: 1) with { Indexes = [new IndexSchema("by_customer", [1], [false])] };
    private static readonly TableSchema Lines = TestTable.Create("lines", columns: 3, oid: 2);
    private static readonly TableSchema Countries = TestTable.Create("countries", oid: 3);
    private readonly TemporaryDirectory _directory = new();

    [Theory]
    [InlineData(2, 1)]
    [InlineData(3, 2)]
    [InlineData(10, 3)]
    [InlineData(11, 2)]
    [InlineData(64, 1)]
    public void Queries_over_all_shards_answer_as_over_one(int shards, int copies)
    {
        Fill(shards, copies);
        using var all = Replica.OpenRead(_directory.Path);

        Ask(all, "SELECT count(*), count(DISTINCT id), sum(id), min(id), max(id) FROM orders").ShouldBe($"{Rows},{Rows},{Rows * (Rows + 1) / 2},1,{Rows}");
        Ask(all, "SELECT id FROM orders ORDER BY id DESC LIMIT 3 OFFSET 1").ShouldBe("1999;1998;1997");
        Ask(all, "SELECT id, c2 FROM orders WHERE id = 77").ShouldBe("77,x7");
        Ask(all, "SELECT count(*) FROM orders WHERE id IN (5, 6, 7) OR id > 1990").ShouldBe("13");
        Ask(all, "SELECT count(*) FROM orders WHERE c1 = 'Customer 3' COLLATE NOCASE").ShouldBe("40");
        Ask(all, "SELECT count(*), group_concat(DISTINCT o.c1) FROM orders o JOIN lines l ON l.id = o.id WHERE o.c1 = 'customer 4'").ShouldBe("40,customer 4");
        Ask(all, "SELECT c.c1, count(*) FROM orders o JOIN countries c ON c.id = o.id % 3 GROUP BY c.id ORDER BY c.id").ShouldBe("land 0,666;land 1,667;land 2,667");
        Ask(all, "SELECT count(*) FROM orders o WHERE NOT EXISTS (SELECT 1 FROM lines l WHERE l.id = o.id)").ShouldBe("0");
        Ask(all, "SELECT min(state), count(*) FROM \"dbsync.table\"").ShouldBe("3,3");
        using (var one = Replica.OpenRead(_directory.Path, Replica.ShardOf(_directory.Path, "orders", 77)))
            Ask(one, "SELECT c2 FROM orders WHERE id = 77").ShouldBe("x7");
        Should.Throw<DbSyncException>(() => Replica.ShardOf(_directory.Path, "orders", "77")).Code.ShouldBe(ErrorCodes.InvalidOption);
        Replica.Refresh(all);
        Replica.PositionOf(all).ShouldBe(new Lsn(100));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(12)]
    public void Shards_at_different_positions_are_not_read_together(int shards)
    {
        Fill(shards, copies: 1);
        using (var store = new ReplicaStore(_directory.Path, NodeFile.Load(_directory.Path)))
        {
            var last = store.Open()[^1];
            last.Begin(durable: false);
            last.Commit(new Lsn(200)); // as after a crash between two shards' commits
        }

        Should.Throw<DbSyncException>(() => Replica.OpenRead(_directory.Path)).Code.ShouldBe(ErrorCodes.ShardsApart);
        using var one = Replica.OpenRead(_directory.Path, "s0");
        Replica.PositionOf(one).ShouldBe(new Lsn(100));
    }

    public void Dispose() => _directory.Dispose();

    private void Fill(int shards, int copies)
    {
        var members = Enumerable.Range(0, shards).Select(i => new ShardMember(new ShardId($"s{i}"))).ToList();
        var layout = new ShardLayout(
            ShardMapPlanner.Start(new ShardTopology([.. members], copies)).Target,
            ShardLayout.KeysOf([new("orders", new ShardKeyRule(["id"], [HashKind.Integer])), new("lines", new ShardKeyRule(["id"], [HashKind.Integer]))]));
        var node = new NodeFile("main", "n", "slot", "pub", "", "", [.. members.Select(m => new NodeFile.Shard(m.Id.Name, NodeFile.FileNameOf(m.Id.Name, 1)))]);
        node.Save(_directory.Path);
        var placement = new MapPlacement(layout, [.. members.Select(m => m.Id)]);
        using var store = new ReplicaStore(_directory.Path, node);
        var open = store.Open();
        for (var shard = 0; shard < open.Count; shard++)
        {
            var file = open[shard];
            file.Begin(durable: false);
            file.SaveLayout(layout);
            foreach (var table in new[] { Orders, Lines, Countries }) file.CreateTable(new TableRecord(table, TableState.Live, Planned: true, Lsn.Zero));
            for (long id = 0; id < 3; id++) Insert(file, Countries, id, $"land {id}");
            for (long id = 1; id <= Rows; id++)
            {
                if ((placement.ShardsOf(Orders, TestTable.Row(id)) & (1UL << shard)) == 0) continue;
                Insert(file, Orders, id, $"customer {id % 50}", $"x{id % 10}");
                Insert(file, Lines, id, "line", "y");
            }
            file.CreateIndexes(Orders);
            file.Commit(new Lsn(100));
        }
    }

    private static void Insert(IShardStore shard, TableSchema table, params object?[] values)
    {
        var pinned = new ChangeBuffer(256);
        pinned.Append(TestTable.Row(values));
        var row = pinned.Written;
        shard.Insert(table, ref row);
    }

    private static string Ask(SqliteConnection all, string sql)
    {
        using var command = all.CreateCommand();
        command.CommandText = sql;
        using var reader = command.ExecuteReader();
        var rows = new List<string>();
        while (reader.Read()) rows.Add(string.Join(',', Enumerable.Range(0, reader.FieldCount).Select(i => Convert.ToString(reader.GetValue(i), System.Globalization.CultureInfo.InvariantCulture))));
        return string.Join(';', rows);
    }
}
