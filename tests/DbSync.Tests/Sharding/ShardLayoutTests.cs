using System.Collections.Immutable;
using CsCheck;
using DbSync.Testing;

namespace DbSync.Tests.Sharding;

/// <summary>A layout on its way from one map to another: who owns and who holds what, at each stage, and as a row.</summary>
public sealed class ShardLayoutTests
{
    private static readonly ShardKeyRule Rule = new(["id"], [HashKind.Integer]);

    [Fact]
    public void Every_way_from_map_to_map_keeps_each_bucket_with_who_is_read() => Gen.Select(
        Gen.Int[0, 3].Array[2, 8].Where(w => w.Count(x => x > 0) >= 2), Gen.Int[0, 3].Array[2, 8].Where(w => w.Count(x => x > 0) >= 2), Gen.Int[1, 2]).Sample(
        (first, second, copies) =>
        {
            var before = new ShardLayout(ShardMapPlanner.Start(Topology(first, copies, 0)).Target, Keys());
            var plan = ShardMapPlanner.Plan(before.Map, Topology(second, copies, first.Length / 2)); // some shards stay, some go, some come
            var moving = Again(before.Begin(plan));
            var switched = Again(moving.Switch());
            var settled = Again(switched.Settle());
            foreach (var shard in moving.Map.Topology.Shards.Select(s => s.Id))
            {
                var (old, @new) = (before.Map.OwnedBy(shard), plan.Target.OwnedBy(shard));
                moving.Map.OwnedBy(shard).ShouldBe(old);
                switched.Map.OwnedBy(shard).ShouldBe(@new);
                moving.HeldBy(shard).ShouldBe(old.Union(@new));
                switched.HeldBy(shard).ShouldBe(old.Union(@new));
                settled.HeldBy(shard).ShouldBe(@new);
                Again(moving.Return(before)).HeldBy(shard).ShouldBe(old);
                Again(switched.Return(before)).HeldBy(shard).ShouldBe(old);
            }
            settled.Map.Topology.Shards.Select(s => (s.Id, s.Weight)).ShouldBe(plan.Target.Topology.Shards.Select(s => (s.Id, s.Weight)), ignoreOrder: true);
            (moving.Version, switched.Version, settled.Version).ShouldBe((2, 3, 4));
            settled.Motion.ShouldBeNull();
        }, iter: Effort.Cases(8));

    [Fact]
    public void A_version_that_knows_of_no_moves_refuses_a_map_on_its_way()
    {
        var before = new ShardLayout(ShardMapPlanner.Start(Topology([1, 1], 1, 0)).Target, Keys());
        before.ToRow().Hash.ShouldBe(HashVectors.HashId);
        var row = before.Begin(ShardMapPlanner.Plan(before.Map, Topology([1, 2], 1, 0))).ToRow();
        row.Hash.ShouldNotBe(HashVectors.HashId);
        Should.Throw<DbSyncException>(() => ShardLayout.Of(row with { Hash = "postgresql-extended-0/Sideways" })).Code.ShouldBe(ErrorCodes.UnreadableShardMap);
    }

    [Fact]
    public void The_copy_beside_a_sharded_table_is_placed_like_the_table()
    {
        var layout = new ShardLayout(ShardMapPlanner.Start(Topology([1, 1], 1, 0)).Target, Keys());
        var placement = new MapPlacement(layout, [new ShardId("s0"), new ShardId("s1")]);
        var table = TestTable.Create("orders", oid: 1);
        placement.IsEverywhere(table with { Id = table.Id.Shadow }).ShouldBeFalse();
        for (var id = 0; id < 20; id++) placement.ShardsOf(table with { Id = table.Id.Shadow }, TestTable.Row(id)).ShouldBe(placement.ShardsOf(table, TestTable.Row(id)));
    }

    private static ImmutableSortedDictionary<string, ShardKeyRule> Keys() => ShardLayout.KeysOf([KeyValuePair.Create("orders", Rule)]);

    private static ShardTopology Topology(int[] weights, int copies, int from) => new([.. weights.Select((w, i) => new ShardMember(new ShardId($"s{from + i}"), w))], copies);

    /// <summary>The layout as whoever reads its row has it.</summary>
    private static ShardLayout Again(ShardLayout layout) => ShardLayout.Of(layout.ToRow());
}
