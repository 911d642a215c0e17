using System.Globalization;
using DbSync.Sqlite;
using Spectre.Console;

namespace DbSync.Cli.Running;

/// <summary>Shows what a running node does: bars and a status line on a terminal, a line whenever something changes in a pipe.</summary>
internal sealed class NodeProgress(ToolConsole console, SyncNode node, NodeFile identity, string directory)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);

    public Task ShowAsync(CancellationToken cancellationToken) => console.IsTerminal ? DrawAsync(cancellationToken) : PrintAsync(cancellationToken);

    private Task DrawAsync(CancellationToken cancellationToken) => console.Progress.Progress()
        .AutoClear(true)
        .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn())
        .StartAsync(async progress =>
        {
            var bars = new Dictionary<string, ProgressTask>(StringComparer.Ordinal);
            var line = progress.AddTask(Markup.Escape(StatusLine()), maxValue: 1);
            line.IsIndeterminate = true;
            while (!cancellationToken.IsCancellationRequested)
            {
                foreach (var table in Tables())
                {
                    if (!bars.TryGetValue(table.Name, out var bar))
                    {
                        if (table.State == TableState.Live) continue;
                        bars.Add(table.Name, bar = progress.AddTaskBefore(Markup.Escape($"copying {table.Name}"), new ProgressTaskSettings { MaxValue = 1 }, line));
                    }
                    bar.MaxValue = Math.Max(1, table.Chunks);
                    bar.Value = table.State == TableState.Live ? bar.MaxValue : table.ChunksDone;
                    if (table.State == TableState.Live) bar.StopTask();
                }
                line.Description = Markup.Escape(StatusLine());
                await WaitAsync(cancellationToken);
            }
        });

    private async Task PrintAsync(CancellationToken cancellationToken)
    {
        var live = new HashSet<string>(StringComparer.Ordinal);
        var streaming = false;
        while (!cancellationToken.IsCancellationRequested)
        {
            var tables = Tables();
            foreach (var table in tables.Where(t => t.State == TableState.Live && live.Add(t.Name)))
                console.Say(string.Create(CultureInfo.InvariantCulture, $"{table.Name}: live, {table.Rows} rows"));
            var now = node.Status();
            if (!streaming && !now.Copying && now.Pipeline == PipelineState.Streaming && tables.All(t => t.State == TableState.Live))
            {
                streaming = true;
                console.Say("streaming");
            }
            await WaitAsync(cancellationToken);
        }
    }

    private string StatusLine()
    {
        var now = node.Status();
        var state = now.Copying ? "copying" : now.Pipeline == PipelineState.Streaming ? "streaming" : "stale";
        var lag = now.LagMs is { } ms ? string.Create(CultureInfo.InvariantCulture, $", lag {ms:0} ms") : "";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{identity.Replica}/{identity.Node}: {state} at {now.AppliedLsn}{lag}, {now.Transactions} transactions, {now.RowsCopied} rows copied{(now.Waiting is { } w ? $" ({w})" : "")}");
    }

    private List<TableProgress> Tables()
    {
        var tables = new List<TableProgress>();
        foreach (var shard in identity.Shards)
        {
            using var view = new ShardView(directory, shard);
            tables.AddRange(view.Progress());
        }
        return tables;
    }

    private static async Task WaitAsync(CancellationToken cancellationToken) =>
        await Task.Delay(Interval, TimeProvider.System, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
}
