using CsCheck;
using DbSync.Testing;

namespace DbSync.Tests.Copying;

public sealed class TableCopyTests
{
    private static readonly TableSchema Table = TestTable.Create("t");
    private static readonly TransactionSnapshot Snapshot = new(100, 110, [100, 105]);

    [Fact]
    public void A_change_is_skipped_exactly_when_the_snapshot_of_its_chunk_sees_it() =>
        Gen.Select(Gen.Long[-20, 20].HashSet[0, 6], Gen.Int[90, 130].Array[7], Gen.Long[-25, 25], Gen.UInt[85, 135]).Sample((bounds, xmins, id, xid) =>
        {
            var ends = bounds.Order().ToArray();
            var copy = Copy([.. ends.Select(e => (object?)e)]);
            for (var i = 0; i <= ends.Length; i++)
                copy.Complete(copy.Chunks[i] with { Snapshot = new TransactionSnapshot((ulong)xmins[i], (ulong)xmins[i] + 3, [(ulong)xmins[i]]) });
            var chunk = ends.Count(e => e <= id);
            copy.Judge(TestTable.Row(id), xid).ShouldBe(copy.Chunks[chunk].Snapshot!.Sees(xid) ? ChunkJudgement.Skip : ChunkJudgement.Apply);
        });

    [Fact]
    public void Keys_of_several_columns_are_judged_column_by_column()
    {
        var table = TestTable.Create("t", columns: 3);
        table = table with { Key = [1, 0], Columns = [.. table.Columns.Select(c => c with { OrdersAlike = true })] };
        var copy = new TableCopy(new TableRecord(table, TableState.Copying, Planned: false, Lsn.Zero), [], []);
        copy.Plan([Chunk(0, null, ["m", 5]), Chunk(1, ["m", 5], null)]);
        copy.Complete(copy.Chunks[1] with { Snapshot = Snapshot });
        foreach (var (key, judgement) in new[] { (("a", 99), ChunkJudgement.Drop), (("m", 4), ChunkJudgement.Drop), (("m", 5), ChunkJudgement.Apply), (("n", 0), ChunkJudgement.Apply) })
            copy.Judge(TestTable.Row(key.Item1, key.Item2), 200).ShouldBe(judgement);
    }

    [Fact]
    public void Before_the_plan_everything_is_dropped()
    {
        var copy = new TableCopy(new TableRecord(Table, TableState.Copying, Planned: false, Lsn.Zero), [], []);
        copy.Judge(TestTable.Row(1), 5).ShouldBe(ChunkJudgement.Drop);
        copy.IsComplete.ShouldBeFalse();
    }

    [Fact]
    public void A_chunk_in_flight_makes_its_changes_wait_and_no_others()
    {
        var copy = Copy([0L]);
        copy.Begin(1, this);
        copy.Judge(TestTable.Row(-1), 5).ShouldBe(ChunkJudgement.Drop);
        copy.Judge(TestTable.Row(0), 5).ShouldBe(ChunkJudgement.Wait);
        copy.JudgeTruncate(5).ShouldBe(ChunkJudgement.Wait);
        copy.Abandon(1, this);
        copy.Judge(TestTable.Row(0), 5).ShouldBe(ChunkJudgement.Drop);
        copy.Begin(1, this);
        copy.Complete(copy.Chunks[1] with { Snapshot = Snapshot });
        copy.Judge(TestTable.Row(0), 99).ShouldBe(ChunkJudgement.Skip);
        copy.Judge(TestTable.Row(0), 105).ShouldBe(ChunkJudgement.Apply);
    }

    [Fact]
    public void The_end_of_a_reading_that_was_given_up_does_not_end_the_next_one()
    {
        var (first, second) = (new object(), new object());
        var copy = Copy([0L]);
        copy.Begin(1, first);
        copy.Begin(1, second);
        copy.Abandon(1, first);
        copy.Judge(TestTable.Row(0), 5).ShouldBe(ChunkJudgement.Wait);
        copy.Abandon(1, second);
        copy.Judge(TestTable.Row(0), 5).ShouldBe(ChunkJudgement.Drop);
    }

    [Fact]
    public void A_truncate_is_skipped_only_when_every_chunk_here_has_seen_it()
    {
        var copy = Copy([0L]);
        copy.JudgeTruncate(5).ShouldBe(ChunkJudgement.Skip); // nothing is here: the chunks to come must see it
        copy.Complete(copy.Chunks[0] with { Snapshot = Snapshot });
        copy.JudgeTruncate(99).ShouldBe(ChunkJudgement.Skip);
        copy.JudgeTruncate(100).ShouldBe(ChunkJudgement.Apply);
        copy.Complete(copy.Chunks[1] with { Snapshot = new TransactionSnapshot(101, 101, []) });
        copy.JudgeTruncate(100).ShouldBe(ChunkJudgement.Apply);
        copy.JudgeTruncate(99).ShouldBe(ChunkJudgement.Skip);
    }

    [Fact]
    public void Dropped_transactions_are_remembered_until_every_snapshot_must_see_them()
    {
        var copy = Copy([]);
        copy.Remember(7).ShouldBeTrue();
        copy.Remember(7).ShouldBeFalse();
        copy.Remember(9).ShouldBeTrue();
        copy.Forget(9).ShouldBe(1);
        copy.Dropped.ShouldBe([9UL]);
    }

    [Fact]
    public void A_new_plan_forgets_what_was_in_flight_and_what_was_here()
    {
        var copy = Copy([0L]);
        copy.Begin(0, this);
        copy.Complete(copy.Chunks[1] with { Snapshot = Snapshot });
        copy.Plan([Chunk(0, null, null)]);
        copy.Judge(TestTable.Row(5), 99).ShouldBe(ChunkJudgement.Drop);
        copy.Chunks.Count.ShouldBe(1);
    }

    private static TableCopy Copy(object?[] bounds)
    {
        var copy = new TableCopy(new TableRecord(Table, TableState.Copying, Planned: false, Lsn.Zero), [], []);
        copy.Plan(Enumerable.Range(0, bounds.Length + 1).Select(i => Chunk(i, i == 0 ? null : [bounds[i - 1]], i == bounds.Length ? null : [bounds[i]])));
        return copy;
    }

    private static ChunkRecord Chunk(int number, object?[]? lower, object?[]? upper) =>
        new(number, lower is null ? null : new ChunkBound([], TestTable.Row(lower)), upper is null ? null : new ChunkBound([], TestTable.Row(upper)), null, 0);
}
