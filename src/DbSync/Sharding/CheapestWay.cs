namespace DbSync;

/// <summary>
/// Finds the way that makes the fewest copies from a shard (or from nowhere, for missing copies) to any shard below its quota. A step from
/// one shard to another is a bucket that may move there; it costs a copy, nothing, or saves one (<see cref="ShardPlacement.CostOf"/>).
/// </summary>
internal sealed class CheapestWay
{
    private const int Unreachable = int.MaxValue / 2;

    private readonly ShardPlacement _placement;
    private readonly int _source;
    private readonly int[] _distance;
    private readonly PlacementStep[] _cameBy;

    /// <summary>The cheapest step between each two shards; the last row is from nowhere.</summary>
    private readonly PlacementStep[,] _steps;

    public CheapestWay(ShardPlacement placement, int source)
    {
        var count = placement.ShardCount;
        (_placement, _source) = (placement, source);
        (_distance, _cameBy, _steps) = (new int[count + 1], new PlacementStep[count], new PlacementStep[count + 1, count]);
        _distance.AsSpan().Fill(Unreachable);
        _distance[RowOf(source)] = 0;
        CollectSteps();
    }

    /// <summary>The way, or null when there is none.</summary>
    public PlacementWay? Find()
    {
        // Bellman and Ford: steps may save, but no round trip does, so as many rounds as there are shards are enough.
        var rounds = 0;
        while (Relax())
        {
            if (++rounds > _distance.Length + 1) throw new InvalidOperationException("Moving buckets in a circle would save copies.");
        }

        var sinks = Enumerable.Range(0, _placement.ShardCount)
            .Where(shard => _placement.Deficit(shard) > 0 && _distance[shard] < Unreachable)
            .ToArray();
        if (sinks.Length == 0) return null;
        var steps = new List<PlacementStep>();
        for (var at = sinks.MinBy(shard => _distance[shard]); at != _source; at = _cameBy[at].From) steps.Add(_cameBy[at]);
        steps.Reverse();
        return new PlacementWay(steps);
    }

    private bool Relax()
    {
        var changed = false;
        foreach (var step in _steps)
        {
            if (step.Exists && _distance[RowOf(step.From)] < Unreachable) changed |= Reach(step, _distance[RowOf(step.From)] + step.Cost);
        }

        return changed;
    }

    private bool Reach(PlacementStep step, int distance)
    {
        if (step.To == _source || distance >= _distance[step.To]) return false;
        _distance[step.To] = distance;
        _cameBy[step.To] = step;
        return true;
    }

    private int RowOf(int shard) => shard == ShardPlacement.None ? _placement.ShardCount : shard;

    /// <summary>For each pair of shards the cheapest bucket that may move from the one to the other.</summary>
    private void CollectSteps()
    {
        for (var bucket = 0; bucket < Bucket.Count; bucket++)
        {
            foreach (var from in _placement.OwnersOf(bucket))
            {
                var row = RowOf(from);
                var saved = from == ShardPlacement.None || _placement.IsHome(bucket, from) ? 0 : 1;
                for (var to = 0; to < _placement.ShardCount; to++)
                {
                    // Nearly every bucket is at home and would cost one copy: once such a step is known, only a cheaper one is looked at.
                    var known = _steps[row, to];
                    var costMin = -saved;
                    if (known.Exists && known.Cost <= costMin) continue;
                    var cost = costMin + (_placement.IsHome(bucket, to) ? 0 : 1);
                    if ((!known.Exists || cost < known.Cost) && _placement.MayMove(bucket, from, to))
                        _steps[row, to] = new(bucket, from, to, cost);
                }
            }
        }
    }
}
