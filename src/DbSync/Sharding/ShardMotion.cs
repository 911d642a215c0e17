using System.Collections.Immutable;

namespace DbSync;

/// <summary>How far a replica is on its way from one shard map to the next.</summary>
internal enum MotionStage : byte
{
    /// <summary>The shards that get buckets copy them and take every change of them; nobody reads them there.</summary>
    Moving = 1,

    /// <summary>The new owners are read; those that had the buckets before keep them up to date, so that all can still be taken back.</summary>
    Switched = 2,
}

/// <summary>Buckets on their way from shard to shard.</summary>
/// <param name="Stage">How far they are.</param>
/// <param name="Gets">What each shard gets; shards that get nothing are left out.</param>
/// <param name="Gives">What each shard gives up; shards that give nothing are left out.</param>
/// <param name="Leaving">The shards that the replica has no longer at the end.</param>
internal sealed record ShardMotion(
    MotionStage Stage, ImmutableDictionary<ShardId, BucketSet> Gets, ImmutableDictionary<ShardId, BucketSet> Gives, ImmutableHashSet<ShardId> Leaving)
{
    /// <summary>What a shard holds besides the buckets that it owns; null for nothing.</summary>
    public BucketSet? HeldBesides(ShardId shard) => (Stage == MotionStage.Moving ? Gets : Gives).GetValueOrDefault(shard);
}
