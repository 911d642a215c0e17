namespace DbSync;

/// <summary>
/// How many copies of buckets each shard is to hold: its exact share by weight, rounded up or down. Largest remainders round up; where
/// they are equal, who holds more already, so that nothing moves for a rounding.
/// </summary>
/// <remarks>
/// No place can hold more than one copy of each bucket, so a place whose weight is worth more is capped there and the others share what
/// it can't take. Places are rounded before their shards, which keeps the sum of a place below that cap. Integers throughout: a quota
/// doesn't depend on how a machine rounds.
/// </remarks>
internal static class ShardQuotas
{
    public static int[] Compute(ShardTopology topology, ReadOnlySpan<int> held)
    {
        var groups = new Share[topology.GroupCount];
        var shards = new Share[topology.Shards.Length];
        for (var at = 0; at < shards.Length; at++)
        {
            shards[at] = new Share { Weight = topology.Shards[at].Weight, Held = held[at] };
            groups[topology.GroupOf[at]].Weight += shards[at].Weight;
            groups[topology.GroupOf[at]].Held += held[at];
        }

        var (copies, weight) = Cap(groups, (long)Bucket.Count * topology.Copies);
        RoundUp(groups, Enumerable.Range(0, groups.Length).Where(at => !groups[at].IsCapped), copies);

        for (var group = 0; group < groups.Length; group++)
        {
            var members = Enumerable.Range(0, shards.Length).Where(at => topology.GroupOf[at] == group).ToArray();
            foreach (var at in members)
            {
                if (groups[group].IsCapped) shards[at].Divide(Bucket.Count, groups[group].Weight);
                else shards[at].Divide(copies, weight);
            }

            RoundUp(shards, members, groups[group].Quota);
        }

        return Array.ConvertAll(shards, shard => (int)shard.Quota);
    }

    /// <summary>Divides the copies among the places, setting aside those that are worth more than one copy of everything.</summary>
    private static (long Copies, long Weight) Cap(Share[] groups, long copies)
    {
        var weight = groups.Sum(group => group.Weight);
        bool again;
        do
        {
            again = false;
            for (var at = 0; at < groups.Length; at++)
            {
                if (groups[at].IsCapped || copies * groups[at].Weight <= Bucket.Count * weight) continue;
                groups[at] = groups[at] with { IsCapped = true, Quota = Bucket.Count };
                copies -= Bucket.Count;
                weight -= groups[at].Weight;
                again = true;
            }
        }
        while (again);

        for (var at = 0; at < groups.Length; at++)
        {
            if (!groups[at].IsCapped) groups[at].Divide(copies, weight);
        }

        return (copies, weight);
    }

    /// <summary>Gives one more to those with the largest remainders until the quotas make up the total.</summary>
    private static void RoundUp(Share[] shares, IEnumerable<int> members, long total)
    {
        var ordered = members
            .OrderByDescending(at => shares[at].Remainder)
            .ThenByDescending(at => shares[at].Held - shares[at].Quota)
            .ToArray();
        var left = total - ordered.Sum(at => shares[at].Quota);
        for (var next = 0; next < left; next++) shares[ordered[next]].Quota++;
    }

    private record struct Share
    {
        public long Weight { get; set; }

        public long Held { get; set; }

        public long Quota { get; set; }

        public long Remainder { get; private set; }

        public bool IsCapped { get; set; }

        /// <summary>The whole part of the share of <paramref name="total"/>, and what is left of it.</summary>
        public void Divide(long total, long weight)
        {
            if (weight == 0) return;
            (Quota, Remainder) = Math.DivRem(total * Weight, weight);
        }
    }
}
