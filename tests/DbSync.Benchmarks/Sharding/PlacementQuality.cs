namespace DbSync.Benchmarks.Sharding;

/// <summary>How evenly a scheme spreads a million keys, and how many it moves when a shard comes or goes.</summary>
/// <param name="Name">The scheme.</param>
/// <param name="Balance">For 3, 10, 30 and 100 equal shards: keys of the fullest shard over the mean.</param>
/// <param name="WeightedBalance">The same for 30 shards of weights 1, 2 and 4, each relative to its weight; NaN without weights.</param>
/// <param name="AddMovement">Keys moved when a shard comes, over those that it is to hold.</param>
/// <param name="RemoveMovement">Keys moved when any shard goes, over those that it held: the worst of all shards.</param>
internal sealed record PlacementQuality(string Name, double[] Balance, double WeightedBalance, double AddMovement, double RemoveMovement)
{
    private const int Keys = 1_000_000;
    private const int Shards = 30;

    private static readonly int[] Sizes = [3, 10, 30, 100];
    private static readonly ulong[] Hashes = [.. Enumerable.Range(0, Keys).Select(key => PostgresHash.OfInteger(key))];

    /// <summary>What is shown, with the goal of DbSync's own. The keys are a sample, so the goals leave room for its noise.</summary>
    public static IEnumerable<(string What, string Unit, double Goal, Func<PlacementQuality, double> Pick)> Aspects =>
        Sizes.Select<int, (string, string, double, Func<PlacementQuality, double>)>(
                (size, at) => ($"balance of {size} shards", "max/mean", 1 + (4 * Math.Sqrt(size / (double)Keys)), quality => quality.Balance[at]))
            .Concat(
            [
                ($"balance of {Shards} shards of weights 1, 2, 4", "max/mean", 1.04, quality => quality.WeightedBalance),
                ($"keys moved when a shard is added to {Shards}", "x least", 1.03, quality => quality.AddMovement),
                ($"keys moved when any shard of {Shards} is removed", "x least", 1.0, quality => quality.RemoveMovement),
            ]);

    public static PlacementQuality Of<T>(IPlacementScheme<T> scheme)
        where T : struct, IKeyPlacement
    {
        var balance = Array.ConvertAll(Sizes, size => BalanceOf(scheme, ShardingBenchmark.Shards(size)));
        var weighted = scheme is JumpScheme
            ? double.NaN
            : BalanceOf(scheme, ShardingBenchmark.Shards(Shards, weight: number => 1 << (number % 3)));

        var shards = ShardingBenchmark.Shards(Shards);
        var before = scheme.Build(shards, null);
        var more = shards.With(new ShardMember(new ShardId("newcomer")));
        var added = Moved(before, shards, scheme.Build(more, before), more) / (Keys / (Shards + 1.0));
        var counts = Count(before, Shards);
        var removed = 0.0;
        for (var gone = 0; gone < Shards; gone++)
        {
            var fewer = shards.Without(gone);
            removed = Math.Max(removed, Moved(before, shards, scheme.Build(fewer, before), fewer) / (double)counts[gone]);
        }

        return new PlacementQuality(scheme.Name, balance, weighted, added, removed);
    }

    private static double BalanceOf<T>(IPlacementScheme<T> scheme, ShardTopology shards)
        where T : struct, IKeyPlacement
    {
        var counts = Count(scheme.Build(shards, null), shards.Shards.Length);
        var perWeight = Keys / (double)shards.Shards.Sum(shard => shard.Weight);
        return counts.Select((count, at) => count / (perWeight * shards.Shards[at].Weight)).Max();
    }

    private static int[] Count<T>(T placement, int shards)
        where T : struct, IKeyPlacement
    {
        var counts = new int[shards];
        foreach (var hash in Hashes) counts[placement.Find(hash)]++;
        return counts;
    }

    private static int Moved<T>(T before, ShardTopology shardsBefore, T after, ShardTopology shardsAfter)
        where T : struct, IKeyPlacement
    {
        // Ordinals differ between the two; a shard is who it is by its name.
        var translated = shardsAfter.Shards
            .Select(shard => shardsBefore.Shards.IndexOf(shardsBefore.Shards.FirstOrDefault(other => other.Id == shard.Id)!))
            .ToArray();
        var moved = 0;
        foreach (var hash in Hashes)
        {
            if (translated[after.Find(hash)] != before.Find(hash)) moved++;
        }

        return moved;
    }
}
