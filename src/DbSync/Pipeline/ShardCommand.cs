namespace DbSync;

/// <summary>Something to do on a shard's own thread, between two changes.</summary>
/// <param name="Run">Does it.</param>
/// <param name="Cancel">Called instead when the shard stops before, or rolls back what it did.</param>
internal sealed record ShardCommand(Action Run, Action Cancel);
