namespace DbSync;

/// <summary>Gives every copy without an owner to the shard below its quota that prefers the bucket most.</summary>
internal static class VacancyFiller
{
    public static void Run(ShardPlacement placement, ShardTopology topology, Rendezvous rendezvous)
    {
        var vacant = placement.BucketsOf(ShardPlacement.None);
        var urgency = new Urgency(placement, topology, vacant);
        var bounds = new double[placement.ShardCount];
        foreach (var bucket in vacant)
        {
            urgency.Pass(bucket);
            rendezvous.Bound(bucket, bounds);
            while (placement.OwnersOf(bucket).Contains(ShardPlacement.None))
            {
                var chosen = urgency.Any ? Choose(placement, rendezvous, bucket, bounds, urgency) : null;
                chosen ??= Choose(placement, rendezvous, bucket, bounds, null);
                if (chosen is not { } shard) break;
                placement.Move(bucket, ShardPlacement.None, shard);
                urgency.Fill(shard);
            }
        }
    }

    private static int? Choose(ShardPlacement placement, Rendezvous rendezvous, int bucket, double[] bounds, Urgency? urgency)
    {
        int? chosen = null;
        var nearest = double.MaxValue;
        for (var shard = 0; shard < bounds.Length; shard++)
        {
            if (bounds[shard] >= nearest || placement.Deficit(shard) <= 0) continue;
            if (urgency?.IsUrgent(shard) == false || !placement.MayMove(bucket, ShardPlacement.None, shard)) continue;
            var distance = rendezvous.Distance(shard, bucket);
            if (distance >= nearest) continue;
            (nearest, chosen) = (distance, shard);
        }

        return chosen;
    }

    /// <summary>
    /// A place that lacks as many copies as there are buckets left that it could take has to take each of them. Heeding that is what
    /// makes quotas come out when a bucket's copies exclude each other (McNaughton's wrap-around rule, seen from the end).
    /// </summary>
    private sealed class Urgency
    {
        private readonly ShardPlacement _placement;
        private readonly bool[] _holds;
        private readonly int[] _lacking;
        private readonly int[] _eligible;

        public Urgency(ShardPlacement placement, ShardTopology topology, List<int> vacant)
        {
            _placement = placement;
            _holds = new bool[topology.GroupCount];
            _lacking = new int[topology.GroupCount];
            _eligible = new int[topology.GroupCount];
            for (var shard = 0; shard < placement.ShardCount; shard++)
                _lacking[placement.GroupOf(shard)] += Math.Max(0, placement.Deficit(shard));
            foreach (var bucket in vacant) Count(bucket, 1);
        }

        /// <summary>True when a place was urgent when the bucket's turn came.</summary>
        public bool Any { get; private set; }

        public bool IsUrgent(int shard)
        {
            var group = _placement.GroupOf(shard);
            return _lacking[group] > _eligible[group];
        }

        /// <summary>The bucket's turn has come, so it isn't left any more.</summary>
        public void Pass(int bucket) => Count(bucket, -1);

        public void Fill(int shard) => _lacking[_placement.GroupOf(shard)]--;

        private void Count(int bucket, int by)
        {
            foreach (var owner in _placement.OwnersOf(bucket))
            {
                if (owner != ShardPlacement.None) _holds[_placement.GroupOf(owner)] = true;
            }

            Any = false;
            for (var group = 0; group < _eligible.Length; group++)
            {
                if (!_holds[group]) _eligible[group] += by;
                _holds[group] = false;
                Any |= _lacking[group] > _eligible[group];
            }
        }
    }
}
