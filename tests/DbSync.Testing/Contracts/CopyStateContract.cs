using Shouldly;
using Xunit;

namespace DbSync.Testing;

/// <summary>What a store must remember of tables and of their copies, so that a killed copy goes on where it was.</summary>
public abstract class CopyStateContract : IDisposable
{
    private static readonly TableSchema Table = TestTable.Create("orders", oid: 1);
    private readonly TemporaryDirectory _directory = new();

    /// <summary>A store with one shard in a directory.</summary>
    internal abstract IReplicaStore Create(string directory, string replica, string shard);

    [Fact]
    public void A_table_comes_back_with_its_shape_and_state()
    {
        var table = Table with
        {
            Name = "t\"; DROP TABLE x; --",
            Columns = [Table.Columns[0], Table.Columns[1] with { Name = "Ünï \"c\"", Collation = "NOCASE", PrimaryOnlyReason = "why", TypeModifier = 12 }],
            Indexes = [new IndexSchema("ix\"", [1, 0], [true, false])],
            Enums = [new EnumSchema("enum_1", ["b", "a"])],
        };
        var record = new TableRecord(table, TableState.Copying, Planned: false, Lsn.Zero);
        Use(shard => Commit(shard, () => shard.CreateTable(record)));
        Use(shard => Commit(shard, () =>
        {
            shard.CreateIndexes(table);
            shard.CreateIndexes(table);
            shard.SaveTable(record with { State = TableState.CatchingUp, Planned = true, ReadableFrom = new Lsn(ulong.MaxValue - 3) });
        }));
        Use(shard =>
        {
            var loaded = shard.LoadTables().Single();
            (loaded.State, loaded.Planned, loaded.ReadableFrom).ShouldBe((TableState.CatchingUp, true, new Lsn(ulong.MaxValue - 3)));
            loaded.Schema.StoresLike(table).ShouldBeTrue();
            loaded.Schema.ReplicaName.ShouldBe(table.ReplicaName);
            loaded.Schema.Indexes.Single().Columns.ShouldBe([1, 0]);
            loaded.Schema.Enums.Single().Labels.ShouldBe(["b", "a"]);
        });
    }

    [Fact]
    public void Chunks_come_back_with_bounds_and_snapshots()
    {
        var bound = new ChunkBound(["it's", "\\", ""], TestTable.Row("it's", 5, Array.Empty<byte>()));
        ChunkRecord[] chunks =
        [
            new(0, null, bound, new TransactionSnapshot(5, 1UL << 40, [5, 1UL << 39]), 77),
            new(1, bound, null, null, 0),
        ];
        Use(shard => Commit(shard, () =>
        {
            shard.CreateTable(new TableRecord(Table, TableState.Copying, Planned: false, Lsn.Zero));
            shard.SaveChunks(Table.Id, [chunks[1], chunks[0] with { Snapshot = null, Rows = 0 }]);
        }));
        Use(shard => Commit(shard, () => shard.SaveChunk(Table.Id, chunks[0])));
        Use(shard =>
        {
            var loaded = shard.LoadChunks(Table.Id);
            loaded.Select(c => (c.Number, c.Rows)).ShouldBe([(0, 77L), (1, 0L)]);
            loaded[0].Snapshot!.ToString().ShouldBe(chunks[0].Snapshot!.ToString());
            loaded[1].Snapshot.ShouldBeNull();
            (loaded[0].Lower, loaded[1].Upper).ShouldBe((null, null));
            foreach (var end in new[] { loaded[0].Upper!, loaded[1].Lower! })
            {
                end.Literals.ShouldBe(bound.Literals);
                end.Cells.ShouldBe(bound.Cells);
            }
            Commit(shard, () => shard.SaveChunks(Table.Id, []));
            shard.LoadChunks(Table.Id).ShouldBeEmpty();
        });
    }

    [Fact]
    public void Dropped_transactions_come_back_until_they_are_forgotten()
    {
        Use(shard => Commit(shard, () =>
        {
            foreach (var xid in new[] { 3UL, 1UL << 33, 3UL, 9UL }) shard.SaveDroppedTransaction(Table.Id, xid);
            shard.SaveDroppedTransaction(new TableId(99), 4);
        }));
        Use(shard =>
        {
            shard.LoadDroppedTransactions(Table.Id).ShouldBe([3UL, 9UL, 1UL << 33], ignoreOrder: true);
            Commit(shard, () => shard.ForgetDroppedTransactions(Table.Id, 9));
            shard.LoadDroppedTransactions(Table.Id).ShouldBe([9UL, 1UL << 33], ignoreOrder: true);
            Commit(shard, () => shard.ForgetDroppedTransactions(Table.Id, ulong.MaxValue));
            shard.LoadDroppedTransactions(Table.Id).ShouldBeEmpty();
            shard.LoadDroppedTransactions(new TableId(99)).ShouldBe([4UL]);
        });
    }

    [Fact]
    public void Creating_a_table_replaces_the_one_of_its_id_and_the_one_of_its_name() => Use(shard => Commit(shard, () =>
    {
        var renamed = Table with { Name = "renamed" };
        var successor = TestTable.Create("renamed", columns: 4, oid: 7);
        shard.CreateTable(new TableRecord(Table, TableState.Live, Planned: true, Lsn.Zero));
        shard.SaveChunks(Table.Id, [new ChunkRecord(0, null, null, null, 0)]);
        Insert(shard, Table, 1, "a");

        shard.CreateTable(new TableRecord(renamed, TableState.Copying, Planned: false, Lsn.Zero));
        shard.LoadTables().Single().Schema.Name.ShouldBe("renamed");
        shard.LoadChunks(Table.Id).ShouldBeEmpty();
        Insert(shard, renamed, 1, "a");

        shard.CreateTable(new TableRecord(successor, TableState.Copying, Planned: false, Lsn.Zero));
        shard.LoadTables().Single().Schema.Id.ShouldBe(successor.Id);
        Insert(shard, successor, 1, "a", "b", "c");
    }));

    [Fact]
    public void A_dropped_table_leaves_nothing() => Use(shard =>
    {
        Commit(shard, () =>
        {
            shard.CreateTable(new TableRecord(Table, TableState.Live, Planned: true, Lsn.Zero));
            Insert(shard, Table, 1, "a");
            shard.SaveChunks(Table.Id, [new ChunkRecord(0, null, null, null, 0)]);
            shard.SaveDroppedTransaction(Table.Id, 5);
            shard.DropTable(Table.Id);
            shard.DropTable(Table.Id);
        });
        shard.LoadTables().ShouldBeEmpty();
        shard.LoadChunks(Table.Id).ShouldBeEmpty();
        shard.LoadDroppedTransactions(Table.Id).ShouldBeEmpty();
        Commit(shard, () =>
        {
            shard.CreateTable(new TableRecord(Table, TableState.Live, Planned: true, Lsn.Zero));
            Insert(shard, Table, 1, "a");
        });
    });

    public void Dispose()
    {
        _directory.Dispose();
        GC.SuppressFinalize(this);
    }

    private void Use(Action<IShardStore> action)
    {
        using var store = Create(_directory.Path, "main", "s0");
        action(store.Open().Single());
    }

    private static void Commit(IShardStore shard, Action action)
    {
        shard.Begin(durable: false);
        action();
        shard.Commit(new Lsn(shard.Position.Value + 1));
    }

    private static void Insert(IShardStore shard, TableSchema table, params object?[] values)
    {
        ReadOnlySpan<byte> row = TestTable.Row(values);
        shard.Insert(table, ref row);
    }
}
