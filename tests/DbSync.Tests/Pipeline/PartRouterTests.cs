using CsCheck;
using DbSync.Testing;

namespace DbSync.Tests.Pipeline;

public sealed class PartRouterTests
{
    private const int Shards = 4;
    private static readonly TableSchema Orders = TestTable.Create("orders", oid: 1);
    private static readonly TableSchema Countries = TestTable.Create("countries", oid: 2);
    private readonly PartPool _pool = new(64, 100, 1 << 20);
    private readonly PartRouter _router;

    public PartRouterTests() => _router = new PartRouter(Shards, new ByRemainder(), _pool, () => { });

    [Fact]
    public void Every_shard_gets_the_beginning_the_end_and_the_position()
    {
        var part = new TransactionPart(16)
        {
            Xid = 7, CommitLsn = new Lsn(90), EndLsn = new Lsn(100), CommittedAtMicros = 5, ReceivedAt = 6, Begins = true, Ends = true,
        };
        foreach (var share in _router.Split(part))
        {
            (share.Xid, share.CommitLsn, share.EndLsn, share.CommittedAtMicros, share.ReceivedAt, share.Begins, share.Ends)
                .ShouldBe((7u, new Lsn(90), new Lsn(100), 5L, 6L, true, true));
            share.ChangeCount.ShouldBe(0);
        }
    }

    [Fact]
    public void A_row_goes_to_the_shards_that_hold_it_and_a_reference_row_to_all()
    {
        var shares = Split((ChangeKind.Insert, Orders, [TestTable.Row(5, "a")]), (ChangeKind.Insert, Countries, [TestTable.Row(1, "x")]));
        shares.Select(s => s.Count).ShouldBe([1, 2, 2, 1]); // 5 lives in 1 and 2
        shares[1][0].ShouldBe((ChangeKind.Insert, "orders", "5,a"));
    }

    [Fact]
    public void A_key_change_moves_a_row_from_its_old_shards_to_its_new_ones()
    {
        var shares = Split((ChangeKind.Replace, Orders, [TestTable.Row(4), TestTable.Row(5, "b")])); // {0,1} to {1,2}
        shares[0].ShouldBe([(ChangeKind.Delete, "orders", "4")]);
        shares[1].ShouldBe([(ChangeKind.Replace, "orders", "4,5,b")]);
        shares[2].ShouldBe([(ChangeKind.Insert, "orders", "5,b")]);
        shares[3].ShouldBeEmpty();
    }

    [Fact]
    public void A_truncate_goes_to_every_shard() =>
        Split((ChangeKind.Truncate, Orders, [])).ShouldAllBe(s => s.Single().Equals(ValueTuple.Create(ChangeKind.Truncate, "orders", "")));

    [Fact]
    public void Values_kept_as_text_are_reported_to_the_shards_of_their_table()
    {
        var part = new TransactionPart(64);
        part.Add(ChangeKind.Insert, Countries, TestTable.Row(1, "NaN"));
        part.MarkKept(Countries, 1);
        foreach (var share in _router.Split(part)) share.KeptAsText.ShouldBe([(Countries, 1)]);
    }

    [Fact]
    public void A_change_of_DbSyncs_own_tables_is_noticed_before_and_after_the_split()
    {
        var part = new TransactionPart(64);
        part.Add(ChangeKind.Insert, TestTable.Create("heartbeat", schema: TableSchema.ControlSchemaName), TestTable.Row(1, "x"));
        part.TouchesControl.ShouldBeTrue();
        _router.Split(part)[1].TouchesControl.ShouldBeTrue();
    }

    [Fact]
    public void Each_shard_holds_after_any_changes_exactly_its_rows() =>
        Gen.Select(Gen.Int[0, 3], Gen.Long[0, 15], Gen.Long[0, 15]).List[0, 60].Sample(steps =>
        {
            var all = new HashSet<long>();
            var shards = Enumerable.Range(0, Shards).Select(_ => new HashSet<long>()).ToList();
            foreach (var (kind, id, other) in steps)
            {
                var change = kind switch
                {
                    0 when all.Add(id) => (ChangeKind.Insert, new[] { TestTable.Row(id, "v") }),
                    1 when all.Remove(id) => (ChangeKind.Delete, [TestTable.Row(id)]),
                    2 when all.Contains(id) && !all.Contains(other) && all.Remove(id) && all.Add(other) =>
                        (ChangeKind.Replace, [TestTable.Row(id), TestTable.Row(other, "v")]),
                    3 when all.Contains(id) => (ChangeKind.Update, [TestTable.Row(id, "w")]),
                    _ => default,
                };
                if (change.Item2 is null) continue;
                var shares = Split((change.Item1, Orders, change.Item2));
                for (var i = 0; i < Shards; i++)
                    foreach (var (applied, _, cells) in shares[i]) Apply(shards[i], applied, cells);
            }
            for (var i = 0; i < Shards; i++) shards[i].ShouldBe(all.Where(id => ByRemainder.Holds(i, id)), ignoreOrder: true);
        }, threads: 1); // they share one router, which is one thread's

    private static void Apply(HashSet<long> rows, ChangeKind kind, string cells)
    {
        var ids = cells.Split(',');
        switch (kind)
        {
            case ChangeKind.Insert:
                rows.Add(long.Parse(ids[0])).ShouldBeTrue();
                break;
            case ChangeKind.Delete:
                rows.Remove(long.Parse(ids[0])).ShouldBeTrue();
                break;
            case ChangeKind.Replace:
                rows.Remove(long.Parse(ids[0])).ShouldBeTrue();
                rows.Add(long.Parse(ids[1])).ShouldBeTrue();
                break;
            default:
                rows.ShouldContain(long.Parse(ids[0]));
                break;
        }
    }

    private List<List<(ChangeKind Kind, string Table, string Cells)>> Split(params (ChangeKind Kind, TableSchema Table, byte[][] Cells)[] changes)
    {
        var part = new TransactionPart(64);
        foreach (var (kind, table, cells) in changes) part.Add(kind, table, cells);
        var result = new List<List<(ChangeKind, string, string)>>();
        foreach (var share in _router.Split(part))
        {
            var list = new List<(ChangeKind, string, string)>();
            var reader = new ChangeReader(share);
            while (reader.Read()) list.Add((reader.Kind, reader.Table.Name, string.Join(',', TestTable.Values(reader.Cells))));
            result.Add(list);
        }
        return result;
    }

    /// <summary>Row <c>id</c> lives in shard <c>id % 4</c> and in the next one; countries live everywhere.</summary>
    private sealed class ByRemainder : IRowPlacement
    {
        public static bool Holds(int shard, long id) => shard == id % Shards || shard == (id + 1) % Shards;

        public bool IsWhole => false;

        public bool IsEverywhere(TableSchema table) => table.Name == "countries";

        public ulong ShardsOf(TableSchema table, ReadOnlySpan<byte> identity)
        {
            var id = Cell.Read(ref identity).Integer;
            return Enumerable.Range(0, Shards).Where(s => Holds(s, id)).Aggregate(0UL, (bits, s) => bits | (1UL << s));
        }
    }
}
