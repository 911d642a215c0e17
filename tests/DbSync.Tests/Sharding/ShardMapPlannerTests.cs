using System.Collections.Immutable;
using CsCheck;
using DbSync.Testing;

namespace DbSync.Tests.Sharding;

public sealed class ShardMapPlannerTests
{
    [Fact]
    public void Over_random_changes_quotas_are_exact_and_copies_apart() =>
        Topologies.Journey.Sample(
            journey =>
            {
                ShardMap? map = null;
                foreach (var topology in journey)
                {
                    var plan = ShardMapPlanner.Plan(map, topology);
                    ShouldBeWithinOneOfQuota(plan.Target);
                    ShouldBeApart(plan.Target);
                    plan.CopiesToMove.ShouldBeGreaterThanOrEqualTo(plan.CopiesToMoveMin);
                    if (map?.Topology.Copies == 1 && topology.Copies == 1) plan.CopiesToMove.ShouldBe(plan.CopiesToMoveMin);
                    map = plan.Target;
                }
            },
            iter: Effort.Cases(30));

    [Theory]
    [InlineData(3, 1)]
    [InlineData(10, 1)]
    [InlineData(100, 1)]
    [InlineData(4, 3)]
    [InlineData(10, 3)]
    [InlineData(30, 3)]
    [InlineData(100, 3)]
    public void Adding_one_shard_moves_only_what_it_is_to_hold(int shards, int copies)
    {
        var map = ShardMapPlanner.Start(Topologies.Equal(shards, copies)).Target;
        var plan = ShardMapPlanner.Plan(map, Topologies.Equal(shards + 1, copies));
        Math.Abs(plan.CopiesToMove - (Bucket.Count * copies / (shards + 1))).ShouldBeLessThanOrEqualTo(1);
        plan.Moves.ShouldAllBe(move => move.To == new ShardId($"s{shards}"));
    }

    [Theory]
    [InlineData(3, 1, 1.0)]
    [InlineData(100, 1, 1.0)]
    [InlineData(5, 3, 1.1)]
    [InlineData(30, 3, 1.1)]
    [InlineData(100, 3, 1.1)]
    public void Removing_any_shard_moves_little_but_what_it_held(int shards, int copies, double ratioMax)
    {
        var topology = Topologies.Equal(shards, copies);
        var map = ShardMapPlanner.Start(topology).Target;
        for (var gone = 0; gone < Math.Min(shards, 10); gone++)
        {
            var plan = ShardMapPlanner.Plan(map, topology.With(all => all.RemoveAt(gone)));
            ((double)plan.CopiesToMove / plan.CopiesToMoveMin).ShouldBeLessThanOrEqualTo(ratioMax);
            plan.CopiesToMoveMin.ShouldBe(map.CountCopies()[gone]);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void A_long_life_of_changes_makes_the_fewest_copies_that_can_be(int copies) =>
        Gen.Select(Gen.Int[0, 2], Gen.Int[0, 1000], Gen.Int[1, 8]).Array[40].Sample(
            steps =>
            {
                var (next, made, madeMin) = (12, 0, 0);
                var topology = Topologies.Equal(next, copies);
                var map = ShardMapPlanner.Start(topology).Target;
                foreach (var (kind, index, weight) in steps)
                {
                    topology = topology.With(all => kind switch
                    {
                        0 => all.Add(Topologies.Member(next++, weight)),
                        1 when all.Length > 6 => all.RemoveAt(index % all.Length),
                        _ => all.SetItem(index % all.Length, all[index % all.Length] with { Weight = weight }),
                    });
                    var plan = ShardMapPlanner.Plan(map, topology);
                    MovementProof.NothingCheaperReaches(plan).ShouldBeTrue();
                    (made, madeMin) = (made + plan.CopiesToMove, madeMin + plan.CopiesToMoveMin);
                    map = plan.Target;
                }

                // The lower bound knows nothing of copies that exclude each other; with few, unequal shards that costs a little.
                made.ShouldBeLessThanOrEqualTo((int)(madeMin * (copies == 1 ? 1.0 : 1.1)));
            },
            iter: Effort.Cases(1));

    [Fact]
    public void The_same_question_has_the_same_answer_and_nothing_to_do_means_no_moves() =>
        Topologies.Random.Sample(
            topology =>
            {
                var once = ShardMapPlanner.Start(topology).Target;
                var again = ShardMapPlanner.Start(topology).Target;
                for (var bucket = 0; bucket < Bucket.Count; bucket++)
                    Assert.Equal(once.OwnersOf(new Bucket((ushort)bucket)), again.OwnersOf(new Bucket((ushort)bucket)));
                var still = ShardMapPlanner.Plan(once, topology);
                still.Moves.ShouldBeEmpty();
                still.Target.Version.ShouldBe(2);
            },
            iter: Effort.Cases(15));

    [Fact]
    public void The_moves_of_a_plan_lead_from_one_map_to_the_other() =>
        Gen.Select(Topologies.Random, Topologies.Random).Sample(
            (from, to) =>
            {
                var current = ShardMapPlanner.Start(from).Target;
                var plan = ShardMapPlanner.Plan(current, to);
                var owners = Enumerable.Range(0, Bucket.Count).Select(bucket => NamesOf(current, bucket)).ToArray();
                foreach (var move in plan.Moves)
                {
                    if (move.From is { } gives) Assert.True(owners[move.Bucket.Number].Remove(gives));
                    if (move.To is { } takes) Assert.True(owners[move.Bucket.Number].Add(takes));
                }

                for (var bucket = 0; bucket < Bucket.Count; bucket++)
                    Assert.True(owners[bucket].SetEquals(NamesOf(plan.Target, bucket)));
            },
            iter: Effort.Cases(15));

    [Fact]
    public void A_shard_of_weight_zero_is_emptied()
    {
        var topology = Topologies.Equal(5, 2);
        var map = ShardMapPlanner.Start(topology).Target;
        var plan = ShardMapPlanner.Plan(map, topology.With(all => all.SetItem(2, all[2] with { Weight = 0 })));
        plan.Target.CountCopies()[2].ShouldBe(0);
    }

    [Theory]
    [InlineData("Shard", 4)]
    [InlineData("Node", 3)]
    [InlineData("Zone", 2)]
    public void More_copies_than_places_are_refused(string spread, int copies)
    {
        ImmutableArray<ShardMember> shards =
            [new(new("a"), 1, "n1", "z1"), new(new("b"), 1, "n1", "z1"), new(new("c"), 1, "n2", "z1"), new(new("d"), 0, "n3", "z2")];
        var refusal = Should.Throw<DbSyncException>(() => new ShardTopology(shards, copies, Enum.Parse<Spread>(spread)));
        refusal.Code.ShouldBe(ErrorCodes.ImpossiblePlacement);
    }

    private static HashSet<ShardId> NamesOf(ShardMap map, int bucket) =>
        [.. map.OwnersOf(new Bucket((ushort)bucket)).ToArray().Select(owner => map.Topology.Shards[owner].Id)];

    private static void ShouldBeApart(ShardMap map)
    {
        var lastSeen = new int[map.Topology.GroupCount];
        for (var bucket = 0; bucket < Bucket.Count; bucket++)
        {
            foreach (var owner in map.OwnersOf(new Bucket((ushort)bucket)))
            {
                // Shouldly's own checks are too slow for as many as these.
                if (map.Topology.Shards[owner].Weight == 0) Assert.Fail("A shard without a weight holds a bucket.");
                ref var seen = ref lastSeen[map.Topology.GroupOf[owner]];
                if (seen == bucket + 1) Assert.Fail("Two copies of a bucket are in one place.");
                seen = bucket + 1;
            }
        }
    }

    /// <summary>
    /// The exact share of each shard, computed a second way: by filling up the places until none is above one copy of everything.
    /// </summary>
    private static void ShouldBeWithinOneOfQuota(ShardMap map)
    {
        var topology = map.Topology;
        var weights = new double[topology.GroupCount];
        for (var at = 0; at < topology.Shards.Length; at++) weights[topology.GroupOf[at]] += topology.Shards[at].Weight;
        var (low, high) = (0.0, Bucket.Count * (double)topology.Copies);
        for (var step = 0; step < 100; step++)
        {
            var level = (low + high) / 2;
            if (weights.Sum(weight => Math.Min(Bucket.Count, weight * level)) < Bucket.Count * topology.Copies) low = level;
            else high = level;
        }

        var counts = map.CountCopies();
        for (var at = 0; at < counts.Length; at++)
        {
            var group = weights[topology.GroupOf[at]];
            var quota = group == 0 ? 0 : Math.Min(Bucket.Count, group * high) * topology.Shards[at].Weight / group;
            Math.Abs(counts[at] - quota).ShouldBeLessThan(1.0001);
        }
    }
}
