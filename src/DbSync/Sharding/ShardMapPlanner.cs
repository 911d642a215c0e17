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

    /// <summary>
    /// Takes over the owners that are still there, except where two of them have become one place or are one copy too many.
    /// </summary>
    /// <returns>How many copies each shard held, the dropped ones included.</returns>
    private static int[] Keep(ShardMap current, ShardTopology topology, ShardPlacement placement)
    {
        var ordinals = Translate(current.Topology, topology);
        var held = new int[topology.Shards.Length];
        var counts = current.CountCopies();
        for (var shard = 0; shard < counts.Length; shard++)
        {
            if (ordinals[shard] != ShardPlacement.None) held[ordinals[shard]] = counts[shard];
        }

        // Who has most to give, by the quotas of the old holdings, gives first: what goes anyway needn't go twice.
        int[] before = [.. held];
        var quotas = ShardQuotas.Compute(topology, held);
        var staying = new List<int>(ShardTopology.CopiesMax);
        for (var bucket = 0; bucket < Bucket.Count; bucket++)
        {
            staying.Clear();
            foreach (var owner in current.OwnersOf(new Bucket((ushort)bucket)))
            {
                if (ordinals[owner] != ShardPlacement.None) staying.Add(ordinals[owner]);
            }

            while (!MayStay(staying, topology))
            {
                var shard = Superfluous(staying, topology, held, quotas);
                staying.Remove(shard);
                held[shard]--;
            }

            foreach (var shard in staying) placement.Move(bucket, ShardPlacement.None, shard);
        }

        return before;
    }

    /// <summary>For each shard of the one topology its ordinal in the other, or <see cref="ShardPlacement.None"/>.</summary>
    private static ushort[] Translate(ShardTopology from, ShardTopology to)
    {
        var ordinals = to.Shards
            .Select((shard, ordinal) => (shard.Id, Ordinal: (ushort)ordinal))
            .ToDictionary(pair => pair.Id, pair => pair.Ordinal);
        return [.. from.Shards.Select(shard => ordinals.GetValueOrDefault(shard.Id, ShardPlacement.None))];
    }

    private static bool MayStay(List<int> owners, ShardTopology topology)
    {
        for (var left = 1; left < owners.Count; left++)
        {
            for (var right = 0; right < left; right++)
            {
                if (topology.GroupOf[owners[left]] == topology.GroupOf[owners[right]]) return false;
            }
        }

        return owners.Count <= topology.Copies;
    }

    /// <summary>The owner to be dropped: of those that share a place, or else of too many, the one furthest above its quota.</summary>
    private static int Superfluous(List<int> owners, ShardTopology topology, int[] held, int[] quotas)
    {
        var sharing = owners.FindAll(owner => owners.Exists(other => other != owner && topology.GroupOf[other] == topology.GroupOf[owner]));
        return (sharing.Count > 0 ? sharing : owners).MaxBy(owner => held[owner] - quotas[owner]);
    }

    private static ImmutableArray<BucketMove> Compare(ShardMap current, ShardMap target)
    {
        var moves = ImmutableArray.CreateBuilder<BucketMove>();
        var ordinals = Translate(current.Topology, target.Topology);
        for (var number = 0; number < Bucket.Count; number++)
        {
            var bucket = new Bucket((ushort)number);
            var before = current.OwnersOf(bucket);
            var after = target.OwnersOf(bucket);
            var (gives, takes) = (0, 0);
            while (true)
            {
                while (gives < before.Length && after.Contains(ordinals[before[gives]])) gives++;
                while (takes < after.Length && Holds(before, after[takes])) takes++;
                if (gives == before.Length && takes == after.Length) break;
                moves.Add(new BucketMove(
                    bucket,
                    gives < before.Length ? current.Topology.Shards[before[gives++]].Id : null,
                    takes < after.Length ? target.Topology.Shards[after[takes++]].Id : null));
            }
        }

        return moves.DrainToImmutable();

        bool Holds(ReadOnlySpan<ushort> owners, ushort shard)
        {
            foreach (var owner in owners)
            {
                if (ordinals[owner] == shard) return true;
            }

            return false;
        }
    }
}
