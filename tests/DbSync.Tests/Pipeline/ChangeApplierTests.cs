using DbSync.Testing;

namespace DbSync.Tests.Pipeline;

public sealed class ChangeApplierTests
{
    private static readonly TableSchema Table = TestTable.Create("orders", oid: 1);
    private readonly FakeShardStore _store = new("s0");

    [Fact]
    public void A_dropped_transaction_is_remembered_in_the_epoch_of_the_primary()
    {
        var applier = Applier();
        applier.XidReference = (5UL << 32) + 100;
        applier.Start(Table);
        applier.Apply(Insert(Table, xid: 90));
        applier.Apply(Insert(Table, xid: 0xFFFF_FFF0)); // before the turn of the epoch
        applier.CopyOf(Table.Id)!.Dropped.ShouldBe([(5UL << 32) + 90, (4UL << 32) + 0xFFFF_FFF0], ignoreOrder: true);
    }

    [Fact]
    public void A_table_that_takes_over_a_name_ends_the_one_that_had_it()
    {
        var successor = TestTable.Create("orders", columns: 4, oid: 2);
        _store.Tables.Add(new TableRecord(Table, TableState.Live, Planned: true, Lsn.Zero));
        var applier = Applier();
        applier.Apply(Insert(successor, xid: 9));
        applier.Tables.Select(t => t.Schema.Id).ShouldBe([successor.Id]);
    }

    [Fact]
    public void A_live_table_that_comes_in_another_shape_is_copied_again()
    {
        _store.Tables.Add(new TableRecord(Table, TableState.Live, Planned: true, Lsn.Zero));
        var applier = Applier();
        applier.Apply(Insert(Table, xid: 8));
        applier.Copies.ShouldBeEmpty();
        applier.Apply(Insert(TestTable.Create("orders", columns: 3, oid: 1), xid: 9));
        applier.CopyOf(Table.Id)!.Record.State.ShouldBe(TableState.Copying);
        applier.CopyOf(Table.Id)!.Dropped.ShouldBe([9UL]);
    }

    [Fact]
    public void A_copy_that_reads_its_rows_after_a_new_entry_of_the_publication_goes_on_under_it()
    {
        var applier = Applier();
        applier.Start(Table with { Entry = 5 });
        applier.Apply(Alter(Table with { Entry = 6 }, xid: 9));
        applier.CopyOf(Table.Id)!.Record.Schema.Entry.ShouldBe(6u);
        applier.CopyOf(Table.Id)!.Dropped.ShouldBe([9UL], "the rows must be read by a snapshot that sees it");
    }

    [Theory]
    [InlineData("8:12:9", true)] // logged, and not shown to others yet
    [InlineData("8:12:", false)]
    [InlineData("12:12:", false)]
    public void What_the_catalog_shows_of_the_time_before_the_log_does_not_count(string looked, bool isOld)
    {
        var (seen, snapshot) = (new Dictionary<TableId, uint> { [Table.Id] = 6 }, TransactionSnapshot.Parse(looked));
        var applier = Applier();
        applier.Apply(Alter(Table with { Entry = 6 }, xid: 9));
        applier.Align([Table with { Entry = 5 }], seen, snapshot).Started.Any().ShouldBe(!isOld);

        applier = Applier();
        applier.Apply(Alter(Table with { Entry = 6 }, xid: 9));
        applier.Align([], seen, snapshot).Dropped.Any().ShouldBe(!isOld);

        applier = Applier();
        applier.Apply(Alter(Table with { Entry = 6 }, xid: 2));
        applier.Apply(Drop(Table, xid: 9));
        applier.Align([Table with { Entry = 6 }], seen, snapshot).Started.Any().ShouldBe(!isOld);
    }

    private ChangeApplier Applier() => new(_store) { WaitForChunk = () => throw new InvalidOperationException("Nothing is in flight."), WaitForMove = _ => throw new InvalidOperationException("Nothing moves.") };

    private static TransactionPart Alter(TableSchema table, uint xid)
    {
        var part = new TransactionPart(64) { Xid = xid, Begins = true, Ends = true };
        part.Add(ChangeKind.Alter, table, TestTable.Row([(long)AlterationFlags.None, .. Enumerable.Repeat((object?)null, table.Columns.Length)]));
        return part;
    }

    private static TransactionPart Drop(TableSchema table, uint xid)
    {
        var part = new TransactionPart(64) { Xid = xid, Begins = true, Ends = true };
        part.Add(ChangeKind.Drop, table, TestTable.Row(1));
        return part;
    }

    private static TransactionPart Insert(TableSchema table, uint xid)
    {
        var part = new TransactionPart(64) { Xid = xid, Begins = true, Ends = true };
        part.Add(ChangeKind.Insert, table, TestTable.Row([1, .. Enumerable.Repeat((object?)"v", table.Columns.Length - 1)]));
        return part;
    }
}
