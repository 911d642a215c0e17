namespace DbSync;

/// <summary>Keeps a shard's write-ahead log short: copied back beside the writing as a rule, by the writer where that is not enough.</summary>
internal sealed class WalKeeper(IShardStore store, PipelineOptions options, TimeProvider time)
{
    /// <summary>What the writer has spent on it.</summary>
    public TimeSpan Spent { get; private set; }

    /// <summary>The log is copied back beside the writing; the writer does the rest, and all of it where it grows faster than that.</summary>
    public void AfterCommit()
    {
        var bytes = store.WalBytes;
        if (bytes <= options.WalBytesMax || (bytes <= options.WalBytesHardMax && store.CopyWalAside())) return;
        CopyBack(options.WalBytesMax);
    }

    /// <summary>There is nothing else to do.</summary>
    public void WhenIdle() => CopyBack(options.IdleWalBytesMax);

    private void CopyBack(long bytesMax)
    {
        if (store.WalBytes <= bytesMax) return;
        Failpoint.Hit(Failpoint.BeforeWalTruncation);
        var started = time.GetTimestamp();
        store.TruncateWal();
        Spent += time.GetElapsedTime(started);
        Failpoint.Hit(Failpoint.AfterWalTruncation);
    }
}
