using System.Globalization;
using DbSync.Sqlite;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace DbSync.Cli.Running;

/// <summary>What a terminal shows of a running node: a bar for each table that is being copied, and one line of status. Nothing wraps.</summary>
internal static class NodePanel
{
    private const int NameWidthMax = 32;
    private const int LinesLeftFree = 6; // for the log that scrolls by above

    /// <param name="node">Which node it is.</param>
    /// <param name="status">What it says of itself.</param>
    /// <param name="tables">How far each of its tables has come.</param>
    /// <param name="perSecond">Rows a second while it copies, transactions a second while it streams.</param>
    /// <param name="console">The terminal: its width, its height, and whether it can draw a bar.</param>
    public static IRenderable Of(string node, LiveStatus status, IReadOnlyList<TableProgress> tables, double perSecond, Profile console)
    {
        var width = Math.Max(20, console.Width - 1); // a line that is full would be wrapped by some terminals
        var copying = tables.Where(t => t.State is TableState.Copying or TableState.CatchingUp).ToList();
        var shown = copying.Take(Math.Max(1, console.Height - LinesLeftFree)).ToList();
        var names = Math.Min(NameWidthMax, shown.Select(t => t.Name.Length).DefaultIfEmpty().Max());
        var lines = shown.ConvertAll(t => BarOf(t, status.Tables.FirstOrDefault(c => c.Table == t.Name), names, width, console.Capabilities.Unicode));
        if (copying.Count > shown.Count) lines.Add(Line($"and {copying.Count - shown.Count} more tables", width, Style.Plain));
        lines.Add(Line($"{node}  {Summary(status, perSecond)}", width, new Style(decoration: Decoration.Bold)));
        if (status.Waiting is { } waiting) lines.Add(Line($"waits: {waiting}", width, new Style(Color.Yellow)));
        return new Rows(lines);
    }

    private static string Summary(LiveStatus status, double perSecond)
    {
        var state = status switch
        {
            { Pipeline: PipelineState.Connecting, ErrorCode: null } => "connecting",
            { Pipeline: PipelineState.Connecting } => "stale",
            { Pipeline: PipelineState.Stopped } => "stopped",
            { Copying: true } => "copying",
            _ => "streaming",
        };
        var lag = status.LagMs is { } ms ? $"  lag {Units.Duration(ms)}" : "";
        var work = status.Copying
            ? $"  {Units.Count(status.RowsCopied)} rows copied, {Units.Count((long)perSecond)}/s"
            : $"  {Units.Count(status.Transactions)} transactions, {Units.Count((long)perSecond)}/s";
        var kept = status is { Copying: true, Slot.RetainedBytes: var bytes } ? $"  slot keeps {Units.Bytes(bytes)}" : "";
        return $"{state} at {status.AppliedLsn}{lag}{work}{kept}";
    }

    private static Paragraph BarOf(TableProgress table, TableCopyStatus? copy, int names, int width, bool unicode)
    {
        var name = Cut(table.Name, names).PadRight(names);
        var share = table.Chunks == 0 ? 0 : (double)table.ChunksDone / table.Chunks;
        var figures = string.Create(CultureInfo.InvariantCulture, $" {share,4:0%}  {Units.Count(table.Rows)} rows{More()}");
        string More() => table.State == TableState.CatchingUp ? ", catching up"
            : copy is null ? "" : $", {Units.Count((long)copy.RowsPerSecond)}/s{(copy.EtaMs is { } eta ? $", {Units.Duration(eta)} left" : "")}";
        var room = Math.Clamp(width - names - figures.Length - 1, 5, 40);
        var done = (int)Math.Round(share * room);
        var (full, empty) = unicode ? ('\u2501', '\u2501') : ('=', '-');
        return new Paragraph()
            .Append($"{name} ")
            .Append(new string(full, done), new Style(Color.Green))
            .Append(new string(empty, room - done), new Style(Color.Grey))
            .Append(Cut(figures, Math.Max(5, width - names - 1 - room)));
    }

    private static Paragraph Line(string text, int width, Style style) => new(Cut(text, width), style);

    private static string Cut(string text, int width) => text.Length <= width ? text : $"{text[..(width - 1)]}\u2026";
}
