using System.Collections.Immutable;

namespace DbSync;

/// <summary>
/// Proposes the next shard map: who prefers what by weighted rendezvous, how much by exact quotas, and everything stays where it is
/// unless a quota, a place or a departed shard makes it move. Pure: the same map and topology give the same plan.
/// </summary>
/// <remarks>
/// "Consistent hashing with bounded loads" (Mirrokni, Thorup, Zadimoghaddam 2018) with the bound at one bucket, on buckets instead of
/// keys. Placement is state, because data moves slowly; the hash only says where to.
/// </remarks>
internal static class ShardMapPlanner
{
    /// <summary>The first map of a replica.</summary>
    public static ShardMapPlan Start(ShardTopology topology) => Plan(null, topology);

    /// <summary>The map to go to from <paramref name="current"/> when the shards are to be <paramref name="topology"/>.</summary>
    public static ShardMapPlan Plan(ShardMap? current, ShardTopology topology)
    {
        var placement = new ShardPlacement(topology);
        var held = current is null ? new int[topology.Shards.Length] : Keep(current, topology, placement);
        placement.Quotas = ShardQuotas.Compute(topology, placement.Held);
        placement.MarkHomes();

        var copiesToMoveMin = held.Select((count, shard) => Math.Max(0, placement.Quotas[shard] - count)).Sum();
        var rendezvous = new Rendezvous(topology.Shards);
        VacancyFiller.Run(placement, topology, rendezvous);
        SurplusMover.Run(placement, rendezvous);
        PlacementRepair.Run(placement);

        for (var shard = 0; shard < placement.ShardCount; shard++)
        {
            if (placement.Deficit(shard) != 0) throw new InvalidOperationException("A plan ended away from its quotas.");
        }

        var target = new ShardMap((current?.Version ?? 0) + 1, topology, placement.Owners);
        return current is null
            ? new ShardMapPlan(null, target, [], 0)
            : new ShardMapPlan(current, target, Compare(current, target), copiesToMoveMin);
    }

    /// <summary>Takes over the owners that are still there, except where two of them have become one place or are one copy too many.</summary>
    /// <returns>How many copies each shard held, the dropped ones included.</returns>
    private static int[] Keep(ShardMap current, ShardTopology topology, ShardPlacement placement)
    {
        var ordinals = topology.Shards.Select((shard, ordinal) => (shard.Id, Ordinal: ordinal)).ToDictionary(pair => pair.Id, pair => pair.Ordinal);
        var translated = current.Topology.Shards.Select(shard => ordinals.GetValueOrDefault(shard.Id, ShardPlacement.None)).ToArray();

        // Who has most to give, by the quotas of the old holdings, gives first: what goes anyway needn't go twice.
        var held = new int[topology.Shards.Length];
        for (var bucket = 0; bucket < Bucket.Count; bucket++)
        {
            foreach (var owner in current.OwnersOf(new Bucket((ushort)bucket)))
            {
                if (translated[owner] != ShardPlacement.None) held[translated[owner]]++;
            }
        }

        int[] before = [.. held];
        var quotas = ShardQuotas.Compute(topology, held);
        var staying = new List<int>(current.Topology.Copies);
        for (var bucket = 0; bucket < Bucket.Count; bucket++)
        {
            staying.Clear();
            foreach (var owner in current.OwnersOf(new Bucket((ushort)bucket))) staying.Add(translated[owner]);
            staying.RemoveAll(owner => owner == ShardPlacement.None);
            while (Superfluous(staying, topology, held, quotas) is { } shard)
            {
                staying.Remove(shard);
                held[shard]--;
            }

            foreach (var shard in staying) placement.Move(bucket, ShardPlacement.None, shard);
        }

        return before;
    }

    /// <summary>The owner to be dropped: of those that share a place, or else of too many, the one furthest above its quota.</summary>
    private static int? Superfluous(List<int> owners, ShardTopology topology, int[] held, int[] quotas)
    {
        var sharing = owners.FindAll(owner => owners.Exists(other => other != owner && topology.GroupOf[other] == topology.GroupOf[owner]));
        if (sharing.Count > 0) return sharing.MaxBy(owner => held[owner] - quotas[owner]);
        return owners.Count > topology.Copies ? owners.MaxBy(owner => held[owner] - quotas[owner]) : null;
    }

    private static ImmutableArray<BucketMove> Compare(ShardMap current, ShardMap target)
    {
        var moves = ImmutableArray.CreateBuilder<BucketMove>();
        var lost = new List<ShardId>();
        var gained = new List<ShardId>();
        for (var number = 0; number < Bucket.Count; number++)
        {
            var bucket = new Bucket((ushort)number);
            Names(current, bucket, lost);
            Names(target, bucket, gained);
            var before = lost.ToArray();
            lost.RemoveAll(gained.Contains);
            gained.RemoveAll(before.Contains);
            for (var at = 0; at < Math.Max(lost.Count, gained.Count); at++)
                moves.Add(new BucketMove(bucket, at < lost.Count ? lost[at] : null, at < gained.Count ? gained[at] : null));
        }

        return moves.DrainToImmutable();
    }

    private static void Names(ShardMap map, Bucket bucket, List<ShardId> names)
    {
        names.Clear();
        foreach (var owner in map.OwnersOf(bucket)) names.Add(map.Topology.Shards[owner].Id);
    }
}
