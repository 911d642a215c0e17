using System.Text.Json;
using System.Text.Json.Serialization;

namespace DbSync;

/// <summary>
/// What only the running process knows, written every half second to <c>status.json</c> of the data directory, where <c>dbsync status</c>
/// finds it. Positions in PostgreSQL's text form, durations in ms, times in RFC 3339.
/// </summary>
internal sealed record LiveStatus
{
    public const string FileName = "status.json";

    public required int ProcessId { get; init; }

    public required DateTimeOffset UpdatedAt { get; init; }

    public required PipelineState Pipeline { get; init; }

    /// <summary>True while some table is not readable yet.</summary>
    public required bool Copying { get; init; }

    /// <summary>What the copy or the stream waits for, for people.</summary>
    public string? Waiting { get; init; }

    public string? ErrorCode { get; init; }

    public required string AppliedLsn { get; init; }

    public required string DurableLsn { get; init; }

    public required string AcknowledgedLsn { get; init; }

    public required string PrimaryLsn { get; init; }

    /// <summary>The age of the newest heartbeat that is visible here, or of the oldest that is not yet; null before the first.</summary>
    public double? LagMs { get; init; }

    public required DelayStatus Delay { get; init; }

    /// <summary>How likely a read sees a commit, by the time since: of each shard.</summary>
    public IReadOnlyDictionary<string, Freshness> Freshness { get; init; } = new Dictionary<string, Freshness>(StringComparer.Ordinal);

    public required long Transactions { get; init; }

    public required long Rows { get; init; }

    public required long Reconnects { get; init; }

    public required long RowsCopied { get; init; }

    public required long ChunksRead { get; init; }

    /// <summary>The rate of the last copies here, this process's or an earlier one's; null before any.</summary>
    public double? CopyRowsPerSecond { get; init; }

    /// <summary>The tables that are being copied now.</summary>
    public IReadOnlyList<TableCopyStatus> Tables { get; init; } = [];

    /// <summary>The slot as the node saw it last; null before the first look.</summary>
    public SlotStatus? Slot { get; init; }

    /// <summary>What is known before a node has run.</summary>
    public static LiveStatus None { get; } = new()
    {
        ProcessId = Environment.ProcessId, UpdatedAt = DateTimeOffset.MinValue, Pipeline = PipelineState.Connecting, Copying = false,
        AppliedLsn = "0/0", DurableLsn = "0/0", AcknowledgedLsn = "0/0", PrimaryLsn = "0/0",
        Delay = new DelayStatus(new(null, null), new(null, null), new(null, null), new(null, null)),
        Transactions = 0, Rows = 0, Reconnects = 0, RowsCopied = 0, ChunksRead = 0,
    };

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
    };

    /// <summary>Writes it, if the disk takes it: who can't say how it stands goes on all the same.</summary>
    public void Save(string directory)
    {
        try
        {
            AtomicFile.Write(Path.Combine(directory, FileName), JsonSerializer.SerializeToUtf8Bytes(this, Json));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // What fails besides this says so.
        }
    }

    /// <summary>Reads what the running process wrote last; null when nothing usable is there.</summary>
    public static LiveStatus? TryLoad(string directory)
    {
        try
        {
            return JsonSerializer.Deserialize<LiveStatus>(File.ReadAllBytes(Path.Combine(directory, FileName)), Json);
        }
        catch (Exception exception) when (exception is IOException or JsonException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}

/// <summary>The split of the delay, T = Tw + Ts + Td, each as p50 and p99 in ms; null where nothing was measured.</summary>
internal sealed record DelayStatus(DelayStatus.Quantiles WriteMs, DelayStatus.Quantiles TransferMs, DelayStatus.Quantiles SyncMs, DelayStatus.Quantiles TotalMs)
{
    internal sealed record Quantiles(double? P50, double? P99)
    {
        public static Quantiles Of(DelayHistogram histogram) => new(histogram.QuantileMs(0.5), histogram.QuantileMs(0.99));
    }

    public static DelayStatus Of(DelayMeter meter) =>
        new(Quantiles.Of(meter.Write), Quantiles.Of(meter.Transfer), Quantiles.Of(meter.Sync), Quantiles.Of(meter.Total));
}

/// <summary>What the slot makes the primary keep, in bytes, and how long that may go on.</summary>
/// <param name="RetainedBytes">The log that it keeps.</param>
/// <param name="BudgetBytes">What may be written before it is given up, by the primary's limit or the node's own; null for no limit.</param>
/// <param name="WalBytesPerSecond">What the primary has written lately; null until two looks are far enough apart.</param>
/// <param name="BudgetEtaMs">When the budget is used up if nothing more is acknowledged; null for no limit, or while nothing is written.</param>
internal sealed record SlotStatus(long RetainedBytes, long? BudgetBytes, double? WalBytesPerSecond, double? BudgetEtaMs);
