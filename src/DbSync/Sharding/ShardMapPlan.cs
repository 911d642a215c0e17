using System.Collections.Immutable;

namespace DbSync;

/// <summary>One step of a plan: a copy of a bucket that appears, disappears, or goes from one shard to another.</summary>
/// <param name="Bucket">The bucket.</param>
/// <param name="From">The shard that gives its copy up; null when there is one copy more than before.</param>
/// <param name="To">The shard that gets a copy; null when there is one copy less than before.</param>
internal readonly record struct BucketMove(Bucket Bucket, ShardId? From, ShardId? To);

/// <summary>A proposed next version of a shard map.</summary>
/// <param name="Current">The map to start from; null when there is none yet.</param>
/// <param name="Target">The map to arrive at, one version later.</param>
/// <param name="Moves">What lies between, by bucket; for a first map nothing, for there is nothing to move.</param>
/// <param name="CopiesToMoveMin">The fewest copies that have to be made on the way to the quotas, wherever buckets go.</param>
internal sealed record ShardMapPlan(ShardMap? Current, ShardMap Target, ImmutableArray<BucketMove> Moves, int CopiesToMoveMin)
{
    /// <summary>The copies of buckets that have to be made: what the plan costs.</summary>
    public int CopiesToMove { get; } = Moves.Count(move => move.To is not null);
}
