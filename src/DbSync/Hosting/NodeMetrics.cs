using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace DbSync;

/// <summary>The instruments of the nodes that run in this process, tagged with replica and node.</summary>
internal sealed class NodeMetrics : IDisposable
{
    private static readonly ConcurrentDictionary<NodeMetrics, byte> Running = new();
    private readonly Func<LiveStatus> _status;
    private readonly KeyValuePair<string, object?>[] _tags;

    static NodeMetrics()
    {
        Telemetry.Meter.CreateObservableGauge("dbsync.node.lag", () => Observe(s => s.LagMs is { } ms ? ms / 1000 : null), "s", "The age of the newest heartbeat that is visible here.");
        Telemetry.Meter.CreateObservableGauge("dbsync.node.streaming", () => Observe(s => s.Pipeline == PipelineState.Streaming ? 1 : 0), description: "1 while the change log is followed.");
        Telemetry.Meter.CreateObservableCounter("dbsync.node.transactions", () => Observe(s => s.Transactions), "{transaction}", "Transactions applied.");
        Telemetry.Meter.CreateObservableCounter("dbsync.node.rows", () => Observe(s => s.Rows), "{row}", "Changes of rows applied.");
        Telemetry.Meter.CreateObservableCounter("dbsync.node.rows_copied", () => Observe(s => s.RowsCopied), "{row}", "Rows read by initial copies.");
        Telemetry.Meter.CreateObservableCounter("dbsync.node.reconnects", () => Observe(s => s.Reconnects), "{connection}", "Connections to the primary that had to be made again.");
    }

    private NodeMetrics(Func<LiveStatus> status, NodeFile identity)
    {
        _status = status;
        _tags = [new("dbsync.replica", identity.Replica), new("dbsync.node", identity.Node)];
    }

    /// <summary>Shows a node's figures until disposed.</summary>
    public static IDisposable Watch(Func<LiveStatus> status, NodeFile identity)
    {
        var metrics = new NodeMetrics(status, identity);
        Running.TryAdd(metrics, 0);
        return metrics;
    }

    public void Dispose() => Running.TryRemove(this, out _);

    private static IEnumerable<Measurement<double>> Observe(Func<LiveStatus, double?> figure)
    {
        foreach (var node in Running.Keys)
            if (figure(node._status()) is { } value) yield return new Measurement<double>(value, node._tags);
    }
}
