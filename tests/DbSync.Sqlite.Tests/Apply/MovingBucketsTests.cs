using DbSync.Testing;

namespace DbSync.Sqlite.Tests.Apply;

/// <summary>A shard of two that is to get or to lose buckets: what it takes of changes, and what it keeps.</summary>
public sealed class MovingBucketsTests : IDisposable
{
    private static readonly TableSchema Orders = TestTable.Create("orders", oid: 1);
    private static readonly ShardId Here = new("s0");
    private readonly TemporaryDirectory _directory = new();
    private readonly ShardFile _file;
    private readonly ChangeApplier _applier;
    private readonly ShardLayout _rest;
    private readonly ShardLayout _moving;
    private ulong _position = 100;

    public MovingBucketsTests()
    {
        _file = new ShardFile(_directory["s0.1.db"], new ShardIdentity("main", "n", Here));
        _applier = new ChangeApplier(_file) { WaitForChunk = () => throw new InvalidOperationException(), WaitForMove = _ => { } };
        _rest = new ShardLayout(
            ShardMapPlanner.Start(Topology(1, 1)).Target, ShardLayout.KeysOf([KeyValuePair.Create("orders", new ShardKeyRule(["id"], [HashKind.Integer]))]));
        _moving = _rest.Begin(ShardMapPlanner.Plan(_rest.Map, Topology(3, 1)));
        Commit(() =>
        {
            _applier.Switch(_rest);
            var copy = _applier.Start(Orders);
            _applier.Replan(copy, []);
            copy.Record = copy.Record with { State = TableState.CatchingUp };
            for (var id = 0L; id < 200; id++) if (_rest.Map.OwnedBy(Here).Contains(BucketOf(id))) Insert(id);
        });
    }

    public void Dispose()
    {
        _file.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public void What_a_table_is_about_to_get_is_for_the_copy_beside_it_alone()
    {
        Commit(() => _applier.Switch(_moving));
        var (coming, own) = (Coming().First(), Own().First());
        Commit(() => Apply(part =>
        {
            part.Add(ChangeKind.Insert, Orders, TestTable.Row(coming, "new"));
            part.Add(ChangeKind.Update, Orders, TestTable.Row(coming, "newer"));
            part.Add(ChangeKind.Delete, Orders, TestTable.Row(coming));
            part.Add(ChangeKind.Update, Orders, TestTable.Row(own, "own"));
        }));
        Has(coming).ShouldBeFalse();
        Has(own).ShouldBeTrue();
        Commit(() => Apply(part => part.Add(ChangeKind.Replace, Orders, TestTable.Row(own), TestTable.Row(coming, "moved"))));
        Has(own).ShouldBeFalse();
        Has(coming).ShouldBeFalse();
        Should.Throw<DbSyncException>(() => Apply(part => part.Add(ChangeKind.Delete, Orders, TestTable.Row(own)))).Code.ShouldBe(ErrorCodes.Diverged);
    }

    [Fact]
    public void What_was_given_up_is_deleted_bit_by_bit_also_after_a_restart()
    {
        Commit(() => _applier.Switch(_rest.Begin(ShardMapPlanner.Plan(_rest.Map, Topology(1, 3))).Switch()));
        var given = Enumerable.Range(0, 200).Select(id => (long)id).Where(Has).ToList();
        Commit(() => _applier.Switch(_file.LoadLayout()!.Settle()));
        given.ShouldAllBe(id => Has(id), "nothing is deleted at once");
        _applier.Load();
        byte[]? after = null;
        var steps = 0;
        do
        {
            Commit(() => after = _applier.Purge(Orders, after, rowsMax: 10));
            steps++;
        }
        while (after is not null);
        steps.ShouldBeGreaterThan(5);
        given.Where(Has).ShouldBe(given.Where(id => _file.LoadLayout()!.Map.IsOwned(BucketOf(id), Here)));
        _applier.Leaving.ShouldBeEmpty();
    }

    [Fact]
    public void A_table_that_was_suspect_meanwhile_is_copied_beside_again()
    {
        Commit(() => _applier.Switch(_moving));
        _applier.MaySuspect = _ => true;
        var own = Own().First();
        Commit(() => _file.Delete(Orders, TestTable.Row(own)));
        Commit(() => Apply(part => part.Add(ChangeKind.Update, Orders, TestTable.Row(own, "missed"))));
        _applier.IsSuspect(Orders.Id).ShouldBeTrue();
        _applier.CopyOf(Orders.Id.Shadow).ShouldBeNull();
        Commit(() => _applier.Trust(Orders.Id));
        Commit(() => { });
        _applier.IsLive(Orders.Id).ShouldBeTrue();
        _applier.CopyOf(Orders.Id.Shadow).ShouldNotBeNull("its buckets are still on their way");
    }

    private static ShardTopology Topology(params int[] weights) => new([.. weights.Select((w, i) => new ShardMember(new ShardId($"s{i}"), w))]);

    private Bucket BucketOf(long id) => _rest.Keys["orders"].OverIdentity(Orders).BucketOf(TestTable.Row(id));

    private IEnumerable<long> Coming() => Enumerable.Range(0, 200).Select(id => (long)id).Where(id => _moving.Motion!.Gets[Here].Contains(BucketOf(id)));

    private IEnumerable<long> Own() => Enumerable.Range(0, 200).Select(id => (long)id).Where(id => _rest.Map.OwnedBy(Here).Contains(BucketOf(id)));

    private bool Has(long id) => _file.TryRead(Orders, TestTable.Row(id), new ChangeBuffer(64));

    private void Insert(long id)
    {
        var pinned = new ChangeBuffer(64);
        pinned.Append(TestTable.Row(id, "old"));
        var row = pinned.Written;
        _file.Insert(Orders, ref row);
    }

    private void Apply(Action<TransactionPart> fill)
    {
        var part = new TransactionPart(256) { Xid = 7, CommitLsn = new Lsn(_position), EndLsn = new Lsn(_position), Begins = true, Ends = true };
        fill(part);
        _applier.Apply(part);
    }

    private void Commit(Action change)
    {
        _file.Begin(durable: false);
        change();
        _position += 10;
        _applier.Promote(new Lsn(_position));
        _file.Commit(new Lsn(_position));
    }
}
