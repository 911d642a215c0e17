namespace DbSync;

/// <summary>
/// A node inside an application, or beside it. Bound from the section <c>DbSync</c> of the application's configuration by <c>AddDbSync</c>, and
/// checked when the application starts.
/// </summary>
public sealed class DbSyncOptions
{
    /// <summary>The section of the configuration.</summary>
    public const string SectionName = "DbSync";

    /// <summary>The primary: Npgsql's connection string. Needed unless <see cref="RunEngine"/> is off.</summary>
    public string? Primary { get; set; }

    /// <summary>The node's data directory; a relative one is taken from the working directory. Needed.</summary>
    public string? DataDirectory { get; set; }

    /// <summary>The replica's name. Default: <c>main</c>.</summary>
    public string Replica { get; set; } = "main";

    /// <summary>The node's name; made up once, and kept in the data directory, when null.</summary>
    public string? Node { get; set; }

    /// <summary>
    /// Whether this process keeps the replica up to date. Off: a <c>dbsync run</c> beside it does, and this process only reads. Default: on.
    /// Where several processes share a data directory one runs the engine, and another one takes over when it ends.
    /// </summary>
    public bool RunEngine { get; set; } = true;

    /// <summary>
    /// Whether the engine may do what <c>dbsync init</c> does, at each start: control schema, publication, slot. Default: off, since its role must
    /// own the tables then.
    /// </summary>
    public bool AllowSetup { get; set; }

    /// <summary>The tables that a setup publishes, as <c>schema.table</c>; empty for all that can be published.</summary>
    public IList<string> Tables { get; } = [];

    /// <summary>
    /// The shards that a setup makes, as <c>dbsync init --shards</c>: a number, or names with weights (<c>a:1,b:2</c>). Default: one file. Shards that
    /// are there already stay as they are: leave it as it was, or out.
    /// </summary>
    public string? Shards { get; set; }

    /// <summary>The shard keys of a setup, by table as <c>schema.table</c>: a column, or several with <c>+</c> between. The model's <c>IsSharded</c> says the same.</summary>
    public IDictionary<string, string> ShardKeys { get; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>How much of transactions in progress the data directory may hold, in bytes; null for the default of <c>dbsync run</c>.</summary>
    public long? SpillBytesMax { get; set; }

    /// <summary>How long a failed engine waits before it tries again; doubled each time. Default: 1 s.</summary>
    public TimeSpan RetryDelay { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>The longest wait before a failed engine tries again. Default: 30 s.</summary>
    public TimeSpan RetryDelayMax { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How often a process looks whether the one that runs the engine on its data directory has ended. Default: 1 s.</summary>
    public TimeSpan TakeOverInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>From which lag on the health check says degraded. Default: 10 s.</summary>
    public TimeSpan LagMax { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>After how long without a sign of life, or without the primary, the health check calls the engine stalled. Default: 30 s.</summary>
    public TimeSpan StallAfter { get; set; } = TimeSpan.FromSeconds(30);
}
