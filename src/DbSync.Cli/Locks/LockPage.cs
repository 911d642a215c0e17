using System.Globalization;
using System.Text;
using DbSync.Cli.Status;
using DbSync.Locking;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace DbSync.Cli.Locks;

/// <summary>Locks as people read them: a number line for each resource, who holds and who waits for whom.</summary>
internal static class LockPage
{
    private const int BesideTheLine = 84;
    private const int LineMin = 24;
    private const int LineMax = 72;

    public static IRenderable Of(IReadOnlyList<LockSnapshot> snapshots, int consoleWidth)
    {
        if (snapshots.Count == 0) return new Text("Nothing has been locked here.\n");
        var width = Math.Clamp(consoleWidth - BesideTheLine, LineMin, LineMax);
        return new Rows([.. snapshots.SelectMany(snapshot => Resource(snapshot, width)), new Text("held: █ exclusive, ▒ shared; waiting: = exclusive, - shared\n", new Style(decoration: Decoration.Dim))]);
    }

    private static IEnumerable<IRenderable> Resource(LockSnapshot snapshot, int width)
    {
        var held = snapshot.Entries.Count(entry => entry.IsHeld);
        var summary = string.Create(CultureInfo.InvariantCulture,
            $"{Visible(snapshot.Resource.Name)}: epoch {snapshot.Epoch}, {held} held, {snapshot.Entries.Count - held} waiting, {snapshot.Conflicts} conflicts of at most {snapshot.ConflictsBound} (n(n-1)/2)");
        yield return new Text(snapshot.Truncated ? $"{summary}, only the first {snapshot.Entries.Count} shown" : summary, new Style(decoration: Decoration.Bold));
        if (snapshot.Entries.Count == 0)
        {
            yield return new Text("");
            yield break;
        }

        var line = new NumberLine(snapshot, width);
        var table = new Table().Border(TableBorder.None).AddColumns("", "", "keys", "age", "lease", "lock", "waits for");
        table.Columns[1].Width(width).NoWrap();
        table.AddRow(StatusPage.Cells("", line.Axis, "", "", "", "", ""));
        foreach (var entry in snapshot.Entries)
            table.AddRow(StatusPage.Cells(
                entry.IsHeld ? "held" : "waits", line.Of(entry), string.Join(' ', entry.Ranges), Units.Duration(entry.Age.TotalMilliseconds),
                entry.LeaseLeft is { } left ? Units.Duration(left.TotalMilliseconds) : "-", Visible(entry.Id.ToString()),
                Visible(string.Join(", ", entry.WaitsFor))));
        yield return table;
        yield return new Text("");
    }

    // Names are data, and must not draw on an operator's terminal.
    private static string Visible(string text)
    {
        var visible = new StringBuilder();
        foreach (var rune in text.EnumerateRunes())
        {
            if (Rune.IsControl(rune) || Rune.GetUnicodeCategory(rune) == UnicodeCategory.Format) visible.Append(CultureInfo.InvariantCulture, $"\\u{rune.Value:X4}");
            else visible.Append(rune.ToString());
        }

        return visible.ToString();
    }
}
