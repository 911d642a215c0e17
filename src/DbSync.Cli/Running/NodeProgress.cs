using System.Globalization;
using DbSync.Sqlite;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace DbSync.Cli.Running;

/// <summary>Shows what a running node does: bars and a status line on a terminal, a line whenever something changes in a pipe.</summary>
internal sealed class NodeProgress(ToolConsole console, NodeKeeper keeper, string directory)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LineInterval = TimeSpan.FromSeconds(5);

    /// <param name="stopping">Cancelled when the node is asked to stop.</param>
    /// <param name="cancellationToken">Cancelled when it has stopped.</param>
    public Task ShowAsync(CancellationToken stopping, CancellationToken cancellationToken) =>
        console.IsTerminal ? DrawAsync(stopping, cancellationToken) : PrintAsync(stopping, cancellationToken);

    private Task DrawAsync(CancellationToken stopping, CancellationToken cancellationToken) => console.Progress.Live(Panel(new Rate(), false))
        .AutoClear(true)
        .StartAsync(async live =>
        {
            var rate = new Rate();
            while (!cancellationToken.IsCancellationRequested)
            {
                live.UpdateTarget(Panel(rate, stopping.IsCancellationRequested));
                await WaitAsync(cancellationToken);
            }
        });

    private IRenderable Panel(Rate rate, bool stopping)
    {
        var now = keeper.Status() ?? LiveStatus.None;
        return NodePanel.Of(
            $"{keeper.Identity.Replica}/{keeper.Identity.Node}{(stopping ? "  stopping" : "")}", now, Tables(), rate.Of(now.Copying, now.Copying ? now.RowsCopied : now.Transactions), console.Progress.Profile);
    }

    private async Task PrintAsync(CancellationToken stopping, CancellationToken cancellationToken)
    {
        await using var saying = stopping.Register(() => console.Say("stopping: what has arrived is being written; a second signal does not wait for it"));
        var live = new HashSet<string>(StringComparer.Ordinal);
        var streaming = false;
        IReadOnlyList<NodeFile.Shard>? files = null;
        var saidAt = TimeProvider.System.GetTimestamp();
        while (!cancellationToken.IsCancellationRequested)
        {
            if (files is not null && !files.SequenceEqual(Files))
            {
                live.Clear(); // the copy beside the old files begins, or was left
                streaming = false;
            }
            files = Files;
            var tables = Tables();
            foreach (var table in tables.Where(t => t.State == TableState.Live && live.Add(t.Name)))
                console.Say(string.Create(CultureInfo.InvariantCulture, $"{table.Name}: live, {table.Rows} rows"));
            var now = keeper.Status() ?? LiveStatus.None;
            if (now.Tables.Count > 0 && TimeProvider.System.GetElapsedTime(saidAt) >= LineInterval)
            {
                saidAt = TimeProvider.System.GetTimestamp();
                foreach (var copy in now.Tables) console.Say(LineOf(copy, now.Slot));
            }
            if (!streaming && keeper.Reseed is null && !now.Copying && now.Pipeline == PipelineState.Streaming && tables.All(t => t.State is TableState.Live or TableState.Quarantined))
            {
                streaming = true;
                console.Say("streaming");
            }
            await WaitAsync(cancellationToken);
        }
    }

    private static string LineOf(TableCopyStatus copy, SlotStatus? slot) => string.Create(
        CultureInfo.InvariantCulture,
        $"{copy.Table}: {copy.Percent:0} % copied, {copy.RowsPerSecond:N0} rows/s, {Units.Duration(copy.EtaMs)} left{(slot is null ? "" : $"; the slot keeps {Units.Bytes(slot.RetainedBytes)} of log")}");

    /// <summary>What the node fills: the copy beside the old files, while there is one.</summary>
    private IReadOnlyList<NodeFile.Shard> Files => keeper.Reseed?.Shards ?? keeper.Identity.Shards;

    private List<TableProgress> Tables()
    {
        var tables = new List<TableProgress>();
        foreach (var shard in Files)
        {
            if (!File.Exists(Path.Combine(directory, shard.File))) continue; // not made yet, or swapped meanwhile
            using var view = new ShardView(directory, shard);
            tables.AddRange(view.Progress());
        }
        return tables;
    }

    /// <summary>How fast a figure has grown lately.</summary>
    private sealed class Rate
    {
        private const double WeightOfTheNewest = 0.3;
        private (bool Kind, long Value, long At)? _before;
        private double _perSecond;

        /// <param name="kind">Which figure it is: with another one, counting begins anew.</param>
        /// <param name="value">The figure now.</param>
        public double Of(bool kind, long value)
        {
            var now = TimeProvider.System.GetTimestamp();
            if (_before is { } before && before.Kind == kind)
            {
                var newest = (value - before.Value) / Math.Max(0.001, TimeProvider.System.GetElapsedTime(before.At, now).TotalSeconds);
                _perSecond = _perSecond == 0 ? newest : WeightOfTheNewest * newest + (1 - WeightOfTheNewest) * _perSecond;
            }
            else
            {
                _perSecond = 0;
            }
            _before = (kind, value, now);
            return _perSecond;
        }
    }

    private static async Task WaitAsync(CancellationToken cancellationToken) =>
        await Task.Delay(Interval, TimeProvider.System, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
}
