namespace DbSync.Postgres;

/// <summary>How a replica is to be sharded.</summary>
/// <param name="Shards">The shards; null to keep those that there are.</param>
/// <param name="Copies">Copies of each bucket, on different shards.</param>
/// <param name="Spread">What the copies of a bucket must not share.</param>
/// <param name="Keys">Shard key columns by table, as the user wrote it.</param>
/// <param name="References">Tables that every shard is to hold whole, whatever their size.</param>
internal sealed record ShardingRequest(
    IReadOnlyList<ShardMember>? Shards, int Copies, Spread Spread, IReadOnlyDictionary<string, string[]> Keys, IReadOnlyCollection<string> References)
{
    public static readonly ShardingRequest None = new(null, 1, Spread.Shard, new Dictionary<string, string[]>(StringComparer.Ordinal), []);
}
