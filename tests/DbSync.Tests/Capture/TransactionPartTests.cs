using CsCheck;
using DbSync.Testing;
using DbSync.Tests.Model;

namespace DbSync.Tests.Capture;

public sealed class TransactionPartTests
{
    private static readonly TableSchema Orders = TestTable.Create("orders", columns: 3, oid: 1);
    private static readonly TableSchema Log = TestTable.Create("log", columns: 3, hasKey: false, oid: 2);
    private static readonly TableSchema Beats = TestTable.Create("heartbeat", schema: TableSchema.ControlSchemaName, oid: 3);

    private static readonly Gen<(ChangeKind Kind, TableSchema Table, byte[] Identity, byte[] Row)> AnyChange =
        from kind in Gen.Enum<ChangeKind>()
        from table in Gen.Bool.Select(keyed => keyed ? Orders : Log)
        from row in ChangeBufferTests.AnyValue.Array[3]
        from old in ChangeBufferTests.AnyValue.Array[3]
        select (kind, table, TestTable.Row(table.HasKey ? [old[0]] : old), TestTable.Row(row));

    [Fact]
    public void Changes_are_read_in_the_order_and_shape_in_which_they_were_written() =>
        AnyChange.List[0, 30].Sample(changes =>
        {
            var part = new TransactionPart(16);
            foreach (var (kind, table, identity, row) in changes) part.Add(kind, table, CellsOf(kind, identity, row));
            part.ChangeCount.ShouldBe(changes.Count);
            var reader = new ChangeReader(part);
            foreach (var (kind, table, identity, row) in changes)
            {
                reader.Read().ShouldBeTrue();
                (reader.Kind, reader.Table).ShouldBe((kind, table));
                reader.Cells.SequenceEqual(CellsOf(kind, identity, row).SelectMany(c => c).ToArray()).ShouldBeTrue();
                if (kind != ChangeKind.Replace) continue;
                reader.Split(out var readIdentity, out var readRow);
                readIdentity.SequenceEqual(identity).ShouldBeTrue();
                readRow.SequenceEqual(row).ShouldBeTrue();
            }
            reader.Read().ShouldBeFalse();
        });

    [Fact]
    public void A_change_that_is_taken_back_was_never_there()
    {
        var part = new TransactionPart(16);
        part.Add(ChangeKind.Insert, Orders, TestTable.Row(1, "a", null));
        var before = part.Changes.Written.ToArray();
        var tables = part.Tables.Count;
        var start = part.BeginChange(ChangeKind.Insert, Beats);
        part.Changes.WriteInteger(1);
        part.MarkKept(Beats, 0);
        part.CancelChange(start, tables);

        part.Changes.Written.ToArray().ShouldBe(before);
        part.Tables.ShouldBe([Orders]);
        part.ChangeCount.ShouldBe(1);
        part.TouchesControl.ShouldBeFalse();
        part.KeptAsText.ShouldBeEmpty();
    }

    [Fact]
    public void A_replace_whose_key_stayed_becomes_an_update_of_the_row()
    {
        var part = new TransactionPart(16);
        var start = part.BeginChange(ChangeKind.Replace, Orders);
        part.Changes.Append(TestTable.Row(7));
        var row = part.Changes.Length;
        part.Changes.Append(TestTable.Row(7, "x", "y"));
        part.KeepOnlyRow(start, row);
        part.EndChange(start);

        var reader = new ChangeReader(part);
        reader.Read().ShouldBeTrue();
        reader.Kind.ShouldBe(ChangeKind.Update);
        TestTable.Values(reader.Cells).ShouldBe([7L, "x", "y"]);
        reader.Read().ShouldBeFalse();
    }

    [Fact]
    public void A_part_from_the_pool_remembers_nothing_of_its_past()
    {
        var pool = new PartPool(initialBytes: 16, keptCountMax: 1, keptBytesMax: 1 << 20);
        var used = pool.Rent();
        used.Add(ChangeKind.Delete, Beats, TestTable.Row(1));
        used.MarkKept(Beats, 0);
        (used.Xid, used.CommitLsn, used.EndLsn, used.CommittedAtMicros, used.ReceivedAt, used.Begins, used.Ends) = (1, new Lsn(2), new Lsn(3), 4, 5, true, true);
        pool.Return(used);

        var part = pool.Rent();
        part.ShouldBeSameAs(used);
        (part.Xid, part.CommitLsn, part.EndLsn, part.CommittedAtMicros, part.ReceivedAt, part.Begins, part.Ends).ShouldBe((0u, Lsn.Zero, Lsn.Zero, 0L, 0L, false, false));
        (part.ChangeCount, part.Changes.Length, part.TouchesControl, part.Tables.Count, part.KeptAsText.Count).ShouldBe((0, 0, false, 0, 0));
    }

    [Fact]
    public void The_pool_keeps_no_more_than_it_may()
    {
        var pool = new PartPool(initialBytes: 16, keptCountMax: 2, keptBytesMax: 1000);
        var parts = Enumerable.Range(0, 5).Select(_ => pool.Rent()).ToList();
        parts[0].Changes.Take(5000);
        foreach (var part in parts) pool.Return(part);
        var again = Enumerable.Range(0, 5).Select(_ => pool.Rent()).ToList();
        again.Intersect(parts).ShouldBe([parts[1], parts[2]], ignoreOrder: true); // the first had grown too large, the last came too late
    }

    private static byte[][] CellsOf(ChangeKind kind, byte[] identity, byte[] row) => kind switch
    {
        ChangeKind.Insert or ChangeKind.Update => [row],
        ChangeKind.Replace => [identity, row],
        ChangeKind.Delete => [identity],
        _ => [],
    };
}
