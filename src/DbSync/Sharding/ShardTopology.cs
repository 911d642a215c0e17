using System.Collections.Immutable;

namespace DbSync;

/// <summary>
/// What the copies of one bucket must not share. A zone holds nodes and a node holds shards, so each level implies the one before.
/// </summary>
internal enum Spread : byte
{
    Shard = 0,
    Node = 1,
    Zone = 2,
}

/// <summary>A member of the consistent hash.</summary>
/// <param name="Id">Its name, which decides what it prefers: a renamed shard is another shard.</param>
/// <param name="Weight">Its share relative to the others; 0 empties it.</param>
/// <param name="Node">The node that hosts it.</param>
/// <param name="Zone">The failure zone of that node.</param>
internal sealed record ShardMember(ShardId Id, int Weight = 1, string Node = "", string Zone = "")
{
    public const int WeightMax = 1_000_000;
}

/// <summary>The shards of a replica, how many copies of each bucket there are, and what these must not share.</summary>
internal sealed class ShardTopology
{
    public const int ShardsMax = 1024;

    public const int CopiesMax = 8;

    /// <exception cref="DbSyncException">A limit is broken, a name is there twice, or there are too few places for the copies.</exception>
    public ShardTopology(ImmutableArray<ShardMember> shards, int copies = 1, Spread spread = Spread.Shard)
    {
        Shards = shards;
        Copies = copies;
        Spread = spread;
        Require(shards.Length is > 0 and <= ShardsMax, $"A replica has 1 to {ShardsMax} shards.");
        Require(copies is > 0 and <= CopiesMax, $"A bucket has 1 to {CopiesMax} copies.");
        Require(shards.All(shard => shard.Weight is >= 0 and <= ShardMember.WeightMax), $"A weight is 0 to {ShardMember.WeightMax}.");
        Require(shards.DistinctBy(shard => shard.Id).Count() == shards.Length, "Two shards have the same name.");

        (GroupOf, GroupCount) = Number(shards, spread);
        var places = shards.Where(shard => shard.Weight > 0).Select(shard => PlaceOf(shard, spread)).Distinct().Count();
        if (places < copies)
            throw new DbSyncException(
                ErrorCodes.ImpossiblePlacement,
                $"{copies} copies of each bucket need {copies} places ({Plural(spread)} with a weight), and there are {places}.",
                $"Add {Plural(spread)}, ask for fewer copies, or let copies share more.");
    }

    public ImmutableArray<ShardMember> Shards { get; }

    public int Copies { get; }

    public Spread Spread { get; }

    /// <summary>For each shard the number of its place: two copies of a bucket are never in one place.</summary>
    public ImmutableArray<int> GroupOf { get; }

    public int GroupCount { get; }

    private static (ImmutableArray<int> GroupOf, int Count) Number(ImmutableArray<ShardMember> shards, Spread spread)
    {
        var numbers = new Dictionary<(string, string), int>();
        var groupOf = ImmutableArray.CreateBuilder<int>(shards.Length);
        foreach (var shard in shards)
        {
            var place = PlaceOf(shard, spread);
            if (!numbers.TryGetValue(place, out var number)) numbers.Add(place, number = numbers.Count);
            groupOf.Add(number);
        }

        return (groupOf.MoveToImmutable(), numbers.Count);
    }

    private static (string, string) PlaceOf(ShardMember shard, Spread spread) => spread switch
    {
        Spread.Shard => (shard.Id.Name, ""),
        Spread.Node => (shard.Zone, shard.Node),
        _ => (shard.Zone, ""),
    };

    private static string Plural(Spread spread) => spread switch
    {
        Spread.Shard => "shards",
        Spread.Node => "nodes",
        _ => "zones",
    };

    private static void Require(bool condition, string rule)
    {
        if (!condition) throw new DbSyncException(ErrorCodes.InvalidOption, rule, "Change the shards of the replica.");
    }
}
