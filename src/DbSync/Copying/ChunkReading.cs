namespace DbSync;

/// <summary>
/// One attempt at reading a chunk. What it marks in the shards goes away with it, however late its reader comes to it: a reader that was
/// cancelled isn't waited for, and may still be about to begin.
/// </summary>
internal sealed class ChunkReading(IReadOnlyList<ShardWorker> shards, int chunk)
{
    private readonly TableCopy?[] _holders = new TableCopy?[shards.Count];
    private volatile bool _hasEnded;

    /// <summary>The copies that hold changes to the chunk back, by shard; null where the shard has no need of it.</summary>
    public IReadOnlyList<TableCopy?> Holders => _holders;

    /// <summary>True when nobody waits for what is read any more.</summary>
    public bool HasEnded => _hasEnded;

    /// <summary>On a shard's thread: from now on it holds changes to the chunk back, unless the attempt has ended.</summary>
    public void Begin(int shard, TableCopy copy)
    {
        if (_hasEnded) return;
        _holders[shard] = copy;
        if (copy.Chunks[chunk].Snapshot is null) copy.Begin(chunk, this);
    }

    /// <summary>Has every shard forget the attempt.</summary>
    public void End()
    {
        _hasEnded = true; // before the commands: whoever asks a shard after its command finds this
        for (var i = 0; i < shards.Count; i++)
        {
            var shard = i;
            shards[shard].Queue.Post(new ShardCommand(() => _holders[shard]?.Abandon(chunk, this), () => { }));
        }
    }
}
