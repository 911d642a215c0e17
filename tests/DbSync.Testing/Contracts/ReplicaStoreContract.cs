using Shouldly;
using Xunit;

namespace DbSync.Testing;

/// <summary>What every store of shards must do; bound to each by a class of its own.</summary>
public abstract class ReplicaStoreContract : IDisposable
{
    private protected static readonly TableSchema Keyed = TestTable.Create("orders", columns: 3, oid: 1);
    private protected static readonly TableSchema Keyless = TestTable.Create("log", columns: 3, hasKey: false, oid: 2);
    private readonly TemporaryDirectory _directory = new();

    private protected string DataPath => _directory.Path;

    /// <summary>A store with one shard in a directory.</summary>
    internal abstract IReplicaStore Create(string directory, string replica, string shard);

    /// <summary>Marks the shard's file as written by a version to come.</summary>
    protected abstract void MakeNewer(string directory, string shard);

    /// <summary>Overwrites the beginning of the shard's file.</summary>
    protected abstract void Damage(string directory, string shard);

    [Fact]
    public void A_new_shard_stands_nowhere_and_holds_nothing() => Use(shard =>
    {
        shard.Id.ShouldBe(new ShardId("s0"));
        shard.Position.ShouldBe(Lsn.Zero);
        shard.LoadTables().ShouldBeEmpty();
    });

    [Fact]
    public void Rows_and_position_commit_together_and_survive_a_new_opening()
    {
        Use(shard =>
        {
            Commit(shard, 10, () => Make(shard, Keyed));
            Commit(shard, 20, () => Insert(shard, Keyed, 1, "a", null));
            shard.Position.ShouldBe(new Lsn(20));
        });
        Use(shard =>
        {
            shard.Position.ShouldBe(new Lsn(20));
            Read(shard, Keyed, 1).ShouldBe([1L, "a", null]);
        });
    }

    [Fact]
    public void A_rollback_leaves_neither_rows_nor_tables_nor_a_position() => Use(shard =>
    {
        Commit(shard, 10, () =>
        {
            Make(shard, Keyed);
            Insert(shard, Keyed, 1, "a", "b");
        });
        shard.Begin(durable: false);
        Insert(shard, Keyed, 2, "x", "y");
        shard.Delete(Keyed, TestTable.Row(1)).ShouldBe(1);
        Make(shard, Keyless);
        shard.SaveDroppedTransaction(Keyed.Id, 5);
        shard.Rollback();

        shard.Position.ShouldBe(new Lsn(10));
        Read(shard, Keyed, 1).ShouldBe([1L, "a", "b"]);
        Read(shard, Keyed, 2).ShouldBeNull();
        shard.LoadTables().Count.ShouldBe(1);
        shard.LoadDroppedTransactions(Keyed.Id).ShouldBeEmpty();
        Commit(shard, 30, () => Insert(shard, Keyed, 2, "x", "y"));
    });

    [Theory]
    [InlineData(1)]
    [InlineData(64)]
    [InlineData(1000)]
    public void Copied_rows_come_in_together_but_only_those_that_belong_here(int count) => Use(shard =>
    {
        var rows = new ChangeBuffer(1 << 20);
        for (var i = 0; i < count; i++) rows.Append(TestTable.Row(i, $"row {i}", i % 3 == 0 ? null : ""));
        Commit(shard, 10, () =>
        {
            Make(shard, Keyed);
            Make(shard, Keyless);
            shard.InsertAll(Keyed, rows.Written, null).ShouldBe(count);
            var seen = 0;
            shard.InsertAll(Keyless, rows.Written, _ => seen++ % 2 == 0).ShouldBe((count + 1) / 2);
        });
        foreach (var i in new[] { 0, count / 2, count - 1 }) Read(shard, Keyed, i).ShouldBe([(long)i, $"row {i}", i % 3 == 0 ? null : ""]);
        Commit(shard, 20, () =>
        {
            for (var i = 0; i < count; i++) shard.Delete(Keyless, TestTable.Row(i, $"row {i}", i % 3 == 0 ? null : "")).ShouldBe(i % 2 == 0 ? 1 : 0);
        });
        shard.Begin(durable: false);
        Should.Throw<DbSyncException>(() => shard.InsertAll(Keyed, rows.Written, null)).Code.ShouldBe(ErrorCodes.Diverged);
        shard.Rollback();
    });

    [Fact]
    public void What_was_not_committed_is_gone_after_a_new_opening()
    {
        Use(shard =>
        {
            Commit(shard, 10, () => Make(shard, Keyed));
            shard.Begin(durable: false);
            Insert(shard, Keyed, 1, "a", "b");
        });
        Use(shard =>
        {
            shard.Position.ShouldBe(new Lsn(10));
            Read(shard, Keyed, 1).ShouldBeNull();
        });
    }

    [Fact]
    public void Durable_and_ordinary_commits_follow_each_other_in_any_order()
    {
        var random = new Random(1);
        Use(shard =>
        {
            Commit(shard, 1, () => Make(shard, Keyed));
            for (var i = 2; i < 40; i++)
            {
                shard.Begin(durable: random.Next(2) == 0);
                Insert(shard, Keyed, i, "v", null);
                shard.Commit(new Lsn((ulong)i));
            }
        });
        Use(shard => shard.Position.ShouldBe(new Lsn(39)));
    }

    [Fact]
    public void A_position_may_use_all_64_bits()
    {
        Use(shard => Commit(shard, ulong.MaxValue - 1, () => { }));
        Use(shard => shard.Position.ShouldBe(new Lsn(ulong.MaxValue - 1)));
    }

    [Fact]
    public void A_row_that_is_there_already_is_refused() => Use(shard =>
    {
        Commit(shard, 1, () => Make(shard, Keyed));
        shard.Begin(durable: false);
        Insert(shard, Keyed, 1, "a", "b");
        Should.Throw<DbSyncException>(() => Insert(shard, Keyed, 1, "c", "d")).Code.ShouldBe(ErrorCodes.Diverged);
        shard.Rollback();
    });

    [Fact]
    public void Changes_tell_how_many_rows_they_found() => Use(shard => Commit(shard, 1, () =>
    {
        Make(shard, Keyed);
        shard.Update(Keyed, TestTable.Row(1, "a", "b")).ShouldBe(0);
        shard.Replace(Keyed, TestTable.Row(1), TestTable.Row(2, "a", "b")).ShouldBe(0);
        shard.Delete(Keyed, TestTable.Row(1)).ShouldBe(0);
        Insert(shard, Keyed, 1, "a", "b");
        shard.Update(Keyed, TestTable.Row(1, "c", null)).ShouldBe(1);
        Read(shard, Keyed, 1).ShouldBe([1L, "c", null]);
        shard.Update(Keyed, TestTable.Row(1, "c", null)).ShouldBe(1);
        shard.Replace(Keyed, TestTable.Row(1), TestTable.Row(2, "d", "e")).ShouldBe(1);
        Read(shard, Keyed, 1).ShouldBeNull();
        Read(shard, Keyed, 2).ShouldBe([2L, "d", "e"]);
        shard.Delete(Keyed, TestTable.Row(2)).ShouldBe(1);
        shard.Delete(Keyed, TestTable.Row(2)).ShouldBe(0);
    }));

    [Fact]
    public void Values_that_were_not_sent_keep_what_they_were() => Use(shard => Commit(shard, 1, () =>
    {
        Make(shard, Keyed);
        Insert(shard, Keyed, 1, "big", "small");
        shard.Update(Keyed, TestTable.Row(1, TestTable.Unchanged, "other")).ShouldBe(1);
        shard.Update(Keyed, TestTable.Row(1, TestTable.Unchanged, TestTable.Unchanged)).ShouldBe(1);
        shard.Replace(Keyed, TestTable.Row(1), TestTable.Row(9, TestTable.Unchanged, null)).ShouldBe(1);
        Read(shard, Keyed, 9).ShouldBe([9L, "big", null]);
        shard.Update(Keyed, TestTable.Row(7, TestTable.Unchanged, TestTable.Unchanged)).ShouldBe(0);

        Make(shard, Keyless);
        Insert(shard, Keyless, 1, "big", null);
        shard.Replace(Keyless, TestTable.Row(1, "big", null), TestTable.Row(2, TestTable.Unchanged, "x")).ShouldBe(1);
        shard.Replace(Keyless, TestTable.Row(2, "big", "x"), TestTable.Row(TestTable.Unchanged, TestTable.Unchanged, TestTable.Unchanged)).ShouldBe(1);
        shard.Delete(Keyless, TestTable.Row(2, "big", "x")).ShouldBe(1);
    }));

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void A_table_without_a_key_is_a_multiset(int seed) => Use(shard => Commit(shard, 1, () =>
    {
        Make(shard, Keyless);
        var random = new Random(seed);
        var model = new List<string>();
        byte[] AnyRow() => TestTable.Row(random.Next(2) == 0 ? null : random.Next(2), random.Next(3) == 0 ? null : "a", random.Next(3) == 0 ? null : random.Next(2) == 0 ? "" : "b");
        for (var i = 0; i < 500; i++)
        {
            byte[] row = AnyRow(), other = AnyRow();
            switch (random.Next(3))
            {
                case 0:
                    ReadOnlySpan<byte> cells = row;
                    shard.Insert(Keyless, ref cells);
                    model.Add(Convert.ToHexString(row));
                    break;
                case 1:
                    shard.Delete(Keyless, row).ShouldBe(model.Remove(Convert.ToHexString(row)) ? 1 : 0);
                    break;
                default:
                    var found = model.Remove(Convert.ToHexString(row));
                    shard.Replace(Keyless, row, other).ShouldBe(found ? 1 : 0);
                    if (found) model.Add(Convert.ToHexString(other));
                    break;
            }
        }
        foreach (var row in model) shard.Delete(Keyless, Convert.FromHexString(row)).ShouldBe(1);
        foreach (var row in model) shard.Delete(Keyless, Convert.FromHexString(row)).ShouldBe(0);
    }));

    [Fact]
    public void Every_kind_of_value_comes_back_as_it_went_in()
    {
        object?[][] rows =
        [
            [1, long.MinValue, double.MaxValue], [2, long.MaxValue, -0.0], [3, "", Array.Empty<byte>()], [4, "1e5", new byte[] { 0, 255 }],
            [5, null, null], [6, "with \0 zero", double.Epsilon], [7, double.PositiveInfinity, " 7 "],
        ];
        var table = Keyed with { Columns = [Keyed.Columns[0], Keyed.Columns[1] with { Storage = StorageClass.Real }, Keyed.Columns[2] with { Storage = StorageClass.Blob }] };
        Use(shard => Commit(shard, 1, () =>
        {
            Make(shard, table);
            foreach (var row in rows) Insert(shard, table, row);
        }));
        Use(shard =>
        {
            foreach (var row in rows)
            {
                var found = new ChangeBuffer(64);
                shard.TryRead(table, TestTable.Row(row[0]), found).ShouldBeTrue();
                found.Written.ToArray().ShouldBe(TestTable.Row(row), $"row {row[0]}");
            }
        });
    }

    [Fact]
    public void A_key_of_several_columns_is_given_in_key_order() => Use(shard => Commit(shard, 1, () =>
    {
        var table = Keyed with { Key = [2, 0] };
        Make(shard, table);
        Insert(shard, table, 1, "v", "k");
        shard.Update(table, TestTable.Row(1, "w", "k")).ShouldBe(1);
        shard.Replace(table, TestTable.Row("k", 1), TestTable.Row(2, TestTable.Unchanged, "l")).ShouldBe(1);
        shard.Delete(table, TestTable.Row("k", 1)).ShouldBe(0);
        var row = new ChangeBuffer(64);
        shard.TryRead(table, TestTable.Row("l", 2), row).ShouldBeTrue();
        TestTable.Values(row.Written).ShouldBe([2L, "w", "l"]);
    }));

    [Fact]
    public void A_truncate_empties_one_table_only() => Use(shard =>
    {
        Commit(shard, 1, () =>
        {
            Make(shard, Keyed);
            Make(shard, Keyless);
            Insert(shard, Keyed, 1, "a", "b");
            Insert(shard, Keyless, 1, "a", "b");
        });
        Commit(shard, 2, () =>
        {
            Insert(shard, Keyed, 2, "a", "b");
            shard.Truncate(Keyed);
            Insert(shard, Keyed, 1, "c", "d");
        });
        Read(shard, Keyed, 1).ShouldBe([1L, "c", "d"]);
        Read(shard, Keyed, 2).ShouldBeNull();
        Commit(shard, 3, () => shard.Delete(Keyless, TestTable.Row(1, "a", "b")).ShouldBe(1));
    });

    [Fact]
    public void The_log_can_be_copied_back_at_any_time_without_loss()
    {
        Use(shard =>
        {
            Commit(shard, 1, () => Make(shard, Keyed));
            for (var i = 1; i <= 20; i++)
            {
                Commit(shard, (ulong)i + 1, () => Insert(shard, Keyed, i, new string('x', 10_000), null));
                shard.WalBytes.ShouldBeGreaterThan(0);
                if (i % 3 == 0) shard.TruncateWal();
            }
            shard.TruncateWal();
            shard.WalBytes.ShouldBe(0);
        });
        Use(shard =>
        {
            shard.Position.ShouldBe(new Lsn(21));
            for (var i = 1; i <= 20; i++) Read(shard, Keyed, i).ShouldNotBeNull();
        });
    }

    [Fact]
    public void The_file_of_another_shard_or_replica_is_refused()
    {
        Use(_ => { });
        RefusalOf("other", "s0").ShouldBe(ErrorCodes.ShardFileMismatch);
    }

    [Fact]
    public void The_file_of_a_newer_version_is_refused()
    {
        Use(_ => { });
        MakeNewer(DataPath, "s0");
        RefusalOf("main", "s0").ShouldBe(ErrorCodes.ShardFileNewer);
    }

    [Fact]
    public void A_damaged_file_is_refused()
    {
        Use(shard => Commit(shard, 1, () => Make(shard, Keyed)));
        Damage(DataPath, "s0");
        RefusalOf("main", "s0").ShouldBe(ErrorCodes.ShardFileDamaged);
    }

    public void Dispose()
    {
        _directory.Dispose();
        GC.SuppressFinalize(this);
    }

    private protected void Use(Action<IShardStore> action)
    {
        using var store = Create(DataPath, "main", "s0");
        action(store.Open().Single());
    }

    private protected static void Commit(IShardStore shard, ulong position, Action action)
    {
        shard.Begin(durable: false);
        action();
        shard.Commit(new Lsn(position));
    }

    private protected static void Make(IShardStore shard, TableSchema table) =>
        shard.CreateTable(new TableRecord(table, TableState.Live, Planned: true, Lsn.Zero));

    private protected static void Insert(IShardStore shard, TableSchema table, params object?[] values)
    {
        ReadOnlySpan<byte> row = TestTable.Row(values);
        shard.Insert(table, ref row);
        row.IsEmpty.ShouldBeTrue();
    }

    private protected static List<object?>? Read(IShardStore shard, TableSchema table, object key)
    {
        var row = new ChangeBuffer(64);
        return shard.TryRead(table, TestTable.Row(key), row) ? TestTable.Values(row.Written) : null;
    }

    private string RefusalOf(string replica, string shard)
    {
        using var store = Create(DataPath, replica, shard);
        return Should.Throw<DbSyncException>(() => store.Open()).Code;
    }
}
