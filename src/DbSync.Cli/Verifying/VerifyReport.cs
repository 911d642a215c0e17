using DbSync.Hosting;
using DbSync.Postgres;
using DbSync.Cli.Status;
using Spectre.Console;

namespace DbSync.Cli.Verifying;

/// <summary>What <c>dbsync verify --json</c> writes.</summary>
/// <param name="Lsn">The position of the last comparison.</param>
/// <param name="Equal">Whether nothing differs now.</param>
/// <param name="Differences">The rows that differed in the first comparison.</param>
/// <param name="Repaired">Of those, how many do so no longer.</param>
/// <param name="Tables">Each table as the first comparison found it.</param>
/// <param name="CopiedAgain">The tables that were copied again as a whole.</param>
/// <param name="DurationMs">How long it took.</param>
internal sealed record VerifyReport(
    string Lsn, bool Equal, long Differences, long Repaired, IReadOnlyList<VerifyReport.TableDifferences> Tables, IReadOnlyCollection<string> CopiedAgain, double DurationMs)
{
    private const int KeysShownMax = 20;

    /// <summary>A table. Keys are the first ones that differ, as PostgreSQL writes them; values only with <c>--values</c>.</summary>
    internal sealed record TableDifferences(
        string Name, long RowsPrimary, long RowsReplica, long Differences, IReadOnlyList<string> Keys, IReadOnlyList<RowComparison>? Values);

    public static TableDifferences Of(TableComparison table, bool withValues) => new(
        table.Verdict.Name, table.Verdict.RowsPrimary, table.Verdict.RowsReplica, table.Verdict.Differences,
        [.. table.Keys.Take(withValues ? int.MaxValue : KeysShownMax).Select(k => string.Join(", ", KeyLiterals.Of(table.Table, k)))], withValues ? table.Values : null);

    public void Show(ToolConsole console)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumn("table");
        foreach (var column in new[] { "rows on the primary", "rows here", "differences" }) table.AddColumn(new TableColumn(column).RightAligned());
        foreach (var t in Tables) table.AddRow(StatusPage.Cells(t.Name, Units.Count(t.RowsPrimary), Units.Count(t.RowsReplica), Units.Count(t.Differences)));
        console.People.Write(table);
        foreach (var t in Tables.Where(t => t.Keys.Count > 0))
            console.Line($"{t.Name}: {string.Join("; ", t.Keys)}{(t.Differences > t.Keys.Count ? $" and {Units.Count(t.Differences - t.Keys.Count)} more" : "")}");
        foreach (var t in Tables)
            foreach (var row in t.Values ?? []) console.Line($"{t.Name}: primary {Text(row.Primary)}, here {Text(row.Replica)}");
        if (CopiedAgain.Count > 0) console.Line($"Copied again: {string.Join(", ", CopiedAgain)}.");
        console.Line(Repaired > 0
            ? $"{Units.Count(Differences)} differences, {Units.Count(Repaired)} mended; at position {Lsn} the replica {(Equal ? "equals the primary" : "still differs")}."
            : $"{Units.Count(Differences)} differences at position {Lsn}.");
    }

    private static string Text(IReadOnlyDictionary<string, string?>? row) =>
        row is null ? "has no such row" : $"({string.Join(", ", row.Select(c => $"{c.Key}={c.Value ?? "NULL"}"))})";
}
