namespace DbSync;

/// <summary>The limits of the pipeline. Every queue, batch and wait has one.</summary>
internal sealed record PipelineOptions
{
    /// <summary>Decoded bytes that wait for one shard before the reader is held back.</summary>
    public long QueueBytesMax { get; init; } = 16L << 20;

    /// <summary>Parts that wait for one shard before the reader is held back.</summary>
    public int QueuePartsMax { get; init; } = 8192;

    /// <summary>A transaction larger than this is handed on in parts, in bytes.</summary>
    public int PartBytesMax { get; init; } = 256 << 10;

    /// <summary>Changes in one SQLite transaction after which it is committed at the next end of a source transaction.</summary>
    public int BatchChangesMax { get; init; } = 50_000;

    /// <summary>How long committed rows may wait for readers while more keep arriving.</summary>
    public TimeSpan BatchAgeMax { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>While much arrives, transactions that follow a commit more closely than this share the next one.</summary>
    public TimeSpan CommitPause { get; init; } = TimeSpan.FromMilliseconds(1);

    /// <summary>Much arrives when a commit holds at least so many transactions.</summary>
    public int BusyTransactionsMin { get; init; } = 4;

    /// <summary>A transaction with at most so many changes is applied by the thread that received it, when its shard is idle.</summary>
    public int StraightChangesMax { get; init; } = 64;

    /// <summary>How often positions are made durable and acknowledged while something changes.</summary>
    public TimeSpan BarrierInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>SQLite's write-ahead log is copied back into the file beyond this many bytes.</summary>
    public long WalBytesMax { get; init; } = 32L << 20;

    /// <summary>Beyond this many bytes the writer waits until the log is copied back.</summary>
    public long WalBytesHardMax { get; init; } = 256L << 20;

    /// <summary>The same when there is nothing else to do.</summary>
    public long IdleWalBytesMax { get; init; } = 1L << 20;

    /// <summary>The first wait before connecting again; doubled each time.</summary>
    public TimeSpan ReconnectDelay { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>The longest wait before connecting again.</summary>
    public TimeSpan ReconnectDelayMax { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a stop waits for a primary that does not answer, once to stop reading and once for the last acknowledgement.</summary>
    public TimeSpan CloseMax { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>How long a slot that somebody else uses is waited for when the node starts.</summary>
    public TimeSpan SlotWaitMax { get; init; } = TimeSpan.FromSeconds(5);
}
