namespace DbSync;

/// <summary>
/// Moves what could not go straight from a shard above its quota (or from nowhere) to one below, because every such bucket has a copy in
/// that place already: on the cheapest way over other shards, each of which passes another bucket on.
/// </summary>
/// <remarks>
/// These ways are the augmenting paths of a flow of least cost from buckets over places to shards (Ahuja, Magnanti, Orlin, "Network
/// Flows", successive shortest paths). What was moved straight before cost one copy for one shortage, the least there is; from there on
/// each cheapest way keeps the whole cheapest. A flow that meets the quotas exists whenever no place is to hold more than every bucket
/// once, so a way is always found.
/// </remarks>
internal static class PlacementRepair
{
    public static void Run(ShardPlacement placement)
    {
        // Each search ends a shortage at least; the bound only keeps a defect from looping.
        var searchesLeft = placement.Owners.Length;
        while (placement.Owners.Contains(ShardPlacement.None)) Search(ShardPlacement.None);
        for (var shard = 0; shard < placement.ShardCount; shard++)
        {
            while (placement.Deficit(shard) < 0) Search(shard);
        }

        void Search(int source)
        {
            if (searchesLeft-- == 0 || new CheapestWay(placement, source).Find() is not { } way)
                throw new InvalidOperationException("No way was found to a shard below its quota.");
            way.Follow(placement);
        }
    }
}
