using System.Collections.Immutable;

namespace DbSync;

/// <summary>What has to be done to a table here so that it is again as the primary's, without reading a row from there.</summary>
/// <param name="From">The table as it is here.</param>
/// <param name="To">The table as it is from now on.</param>
/// <param name="Origins">For each column of <paramref name="To"/> its ordinal in <paramref name="From"/>; -1 for one that is new.</param>
/// <param name="Relabels">Labels of enums that have other texts now.</param>
/// <param name="NeedsRebuild">True when every row is written again, under another key or another order of texts.</param>
internal sealed record TableChange(
    TableSchema From, TableSchema To, ImmutableArray<int> Origins, ImmutableArray<Relabel> Relabels, bool NeedsRebuild)
{
    private static readonly string[] TextTypes = ["text", "character varying", "citext"];

    /// <summary>The columns of <see cref="From"/> that are gone, by name.</summary>
    public IEnumerable<string> Dropped => Enumerable.Range(0, From.Columns.Length).Where(i => !Origins.Contains(i)).Select(i => From.Columns[i].Name);

    /// <summary>The ordinals of columns that are new.</summary>
    public IEnumerable<int> Added => Enumerable.Range(0, To.Columns.Length).Where(i => Origins[i] < 0);

    /// <summary>The columns that have another name now.</summary>
    public IEnumerable<(string From, string To)> Renamed => Enumerable.Range(0, To.Columns.Length)
        .Where(i => Origins[i] >= 0 && From.Columns[Origins[i]].Name != To.Columns[i].Name)
        .Select(i => (From.Columns[Origins[i]].Name, To.Columns[i].Name));

    /// <summary>The change between two shapes of one table; null when its rows have to be read again.</summary>
    public static TableChange? Between(TableSchema from, TableSchema to, AlterationFlags flags)
    {
        var inferred = flags.HasFlag(AlterationFlags.Inferred);
        if (Origin(from, to) is not { } origins || !KeepsPartitions(from, to, flags)) return null;
        var rebuild = !from.Key.SequenceEqual(to.Key.Select(k => origins[k]));
        for (var i = 0; i < origins.Length; i++)
        {
            if (origins[i] < 0) continue;
            var (before, now) = (from.Columns[origins[i]], to.Columns[i]);
            if (inferred && IsTouched(from, to, origins[i], i)) return null;
            if (!IsStoredAlike(before, now) || (inferred && before.Name != now.Name)) return null;
            rebuild |= before.Collation != now.Collation;
        }
        var isAppended = origins.All(o => o >= 0) || (from.Storage == to.Storage && to.Storage != 0); // else the added column may have been filled row by row
        if (inferred && (rebuild || !isAppended || origins.Count(o => o >= 0) < from.Columns.Length)) return null;
        return Relabelled(from, to, origins) is { } relabels ? new TableChange(from, to, origins, relabels, rebuild) : null;
    }

    private static ImmutableArray<int>? Origin(TableSchema from, TableSchema to)
    {
        if (from.Marks is { } before && to.Marks is { } now)
            return [.. now.Select(m => before.Select(b => b.Number).ToList().IndexOf(m.Number))];
        return from.Columns.Select(c => c.Name).SequenceEqual(to.Columns.Select(c => c.Name), StringComparer.Ordinal)
            ? [.. Enumerable.Range(0, to.Columns.Length)]
            : null;
    }

    private static bool IsTouched(TableSchema from, TableSchema to, int before, int now) =>
        from.Marks is { } old && to.Marks is { } marks && old[before].Stamp != marks[now].Stamp;

    /// <summary>
    /// The primary did not compute the rows anew, so the value is the same one under both types. Stored alike it is under another modifier of
    /// the same type, and under another type of text.
    /// </summary>
    private static bool IsStoredAlike(ColumnSchema before, ColumnSchema now) =>
        before.Storage == now.Storage && (before.TypeOid == now.TypeOid || (IsText(before.TypeName) && IsText(now.TypeName)));

    private static bool IsText(string type) => TextTypes.Any(t => type == t || type.StartsWith($"{t}(", StringComparison.Ordinal) || type.EndsWith($".{t}", StringComparison.Ordinal));

    /// <summary>A partition that goes takes its rows along and one that comes brings some, without a word in the log; but one just created has none.</summary>
    public static bool KeepsPartitions(TableSchema from, TableSchema to, AlterationFlags flags)
    {
        if (from.Partitions is not { } before || to.Partitions is not { } now) return true;
        return !before.Except(now).Any() && (flags == AlterationFlags.Created || !now.Except(before).Any());
    }

    /// <summary>True when every label that a row may hold is still one.</summary>
    public static bool KeepsLabels(TableSchema from, TableSchema to) => from.Enums.All(
        before => to.Enums.FirstOrDefault(now => now.Collation == before.Collation) is { } now && !before.Labels.Except(now.Labels, StringComparer.Ordinal).Any());

    /// <summary>The labels that were renamed; null when it can't be told which became which.</summary>
    private static ImmutableArray<Relabel>? Relabelled(TableSchema from, TableSchema to, ImmutableArray<int> origins)
    {
        var relabels = ImmutableArray.CreateBuilder<Relabel>();
        foreach (var now in to.Enums)
        {
            var columns = Enumerable.Range(0, origins.Length).Where(i => origins[i] >= 0 && to.Columns[i].Collation == now.Collation).ToList();
            var collation = columns.Count > 0 ? from.Columns[origins[columns[0]]].Collation : now.Collation;
            if (from.Enums.FirstOrDefault(e => e.Collation == collation) is not { } before || !before.Labels.Except(now.Labels, StringComparer.Ordinal).Any()) continue;
            if (before.Labels.Length != now.Labels.Length || columns.Count == 0) return null;
            foreach (var (old, label) in before.Labels.Zip(now.Labels).Where(l => l.First != l.Second))
            {
                if (before.Labels.Contains(label, StringComparer.Ordinal)) return null;
                relabels.AddRange(columns.Select(c => new Relabel(c, old, label)));
            }
        }
        return relabels.ToImmutable();
    }
}

/// <summary>An enum's label that has another text now.</summary>
/// <param name="Column">The column that holds it: its ordinal in the new table.</param>
/// <param name="From">The text until now.</param>
/// <param name="To">The text from now on.</param>
internal readonly record struct Relabel(int Column, string From, string To);
