namespace DbSync.Postgres.Planning;

/// <summary>What the replicas will do when a migration runs on the primary.</summary>
/// <param name="Tables">The replicated tables that it touches, the most work first; empty when it touches none.</param>
/// <param name="RowsPerSecond">The rate behind the estimates.</param>
/// <param name="IsMeasured">Whether the rate was measured by a copy here; else it is an assumption.</param>
/// <param name="IsLogged">Whether the primary logs each schema change by event triggers; without them most changes copy the table again.</param>
public sealed record MigrationPlan(IReadOnlyList<PlannedTable> Tables, double RowsPerSecond, bool IsMeasured, bool IsLogged)
{
    /// <summary>True when every table goes on being replicated.</summary>
    public bool IsFollowed => Tables.All(t => t.Work != PlannedWork.NotFollowed);

    /// <summary>How long the replicas need for all of it, at most.</summary>
    public double Seconds => Tables.Sum(t => t.Seconds);
}

/// <summary>What happens to one replicated table.</summary>
/// <param name="Table">As the replica names it, before the migration; after it for a table that is new.</param>
/// <param name="Work">What the replicas do.</param>
/// <param name="Rows">How many rows it holds, by the primary's own estimate; 0 for a table that is new.</param>
/// <param name="Seconds">How long the work takes at most; 0 for what is instant.</param>
/// <param name="Reason">Why, for people.</param>
public sealed record PlannedTable(string Table, PlannedWork Work, long Rows, double Seconds, string Reason);

/// <summary>The kinds of work, the least first.</summary>
public enum PlannedWork
{
    /// <summary>A change of the description: no row is touched.</summary>
    Instant,

    /// <summary>Indexes are built.</summary>
    IndexBuild,

    /// <summary>Every row is written again from what the replica has; readers see the table before or after.</summary>
    Rewrite,

    /// <summary>The table is copied again from the primary; until that is done its queries go there.</summary>
    Copy,

    /// <summary>The table can't be replicated as it will be: its queries go to the primary until it can.</summary>
    NotFollowed,
}

/// <summary>How a migration is planned.</summary>
public sealed record MigrationPlanOptions
{
    /// <summary>The replica. Default: <c>main</c>.</summary>
    public string Replica { get; init; } = "main";

    /// <summary>The server on which an empty copy of the schema is made and dropped again; default: the primary itself. Its role needs CREATEDB.</summary>
    public string? Scratch { get; init; }

    /// <summary>The measured rate of a copy, in rows a second; null to assume one.</summary>
    public double? RowsPerSecond { get; init; }
}
