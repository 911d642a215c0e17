using DbSync.EntityFrameworkCore.Consistency;
using DbSync.EntityFrameworkCore.Modeling;
using DbSync.EntityFrameworkCore.Replicas;

namespace DbSync.EntityFrameworkCore.Parity;

/// <summary>
/// What a compiled query asks of the replica's tables and of the primary. The replica's catalog and the primary's settings change while the
/// application runs, so this is compared with them again whenever they do.
/// </summary>
internal sealed class ReplicaNeeds
{
    private readonly Dictionary<(string Table, string Column), ColumnNeed> _columns = [];
    private readonly HashSet<(string Table, bool HasSchema)> _tables = [];
    private Checked? _checked;

    /// <summary>The query maps letters to lower or upper case.</summary>
    public bool MapsCase { get; set; }

    /// <summary>An entity that the query tracks; null when it tracks none.</summary>
    public string? Tracked { get; set; }

    /// <summary>The query may fail at any row, where PostgreSQL would, or where only PostgreSQL knows.</summary>
    public bool MayFail { get; set; }

    /// <summary>What the query's filters take from the context.</summary>
    public FilterParameters Filters { get; } = new();

    /// <summary>What the query pins its tables' columns to.</summary>
    public KeyBindings? Bindings { get; set; }

    public void AddTable(string table, bool hasSchema) => _tables.Add((table, hasSchema));

    public void AddColumn(string table, string column, string pgType, bool ordered = false, bool fixedScale = false)
    {
        _columns.TryGetValue((table, column), out var need);
        _columns[(table, column)] = new ColumnNeed(pgType, need.Ordered || ordered, need.FixedScale || fixedScale);
    }

    /// <summary>Null when the replica can answer; otherwise why not.</summary>
    public (RouteReason Reason, string Detail)? Check(ReplicaCatalog catalog, PrimaryFacts facts)
    {
        if (_checked is { } known && ReferenceEquals(known.Catalog, catalog) && ReferenceEquals(known.Facts, facts)) return known.Refusal;
        var refusal = CheckNow(catalog, facts);
        _checked = new Checked(catalog, facts, refusal);
        return refusal;
    }

    private (RouteReason Reason, string Detail)? CheckNow(ReplicaCatalog catalog, PrimaryFacts facts)
    {
        foreach (var (name, hasSchema) in _tables)
        {
            if (catalog.Find(name) is not { } table) return (RouteReason.NotReplicated, $"{name} is not replicated");
            if (table.State == TableState.Quarantined) return (RouteReason.Copying, $"{name} is set aside, because of a value that can't be stored ({ErrorCodes.ValueUnstorable})");
            if (table.State != TableState.Live) return (RouteReason.Copying, $"{name} is being copied");
            if (table.Schema.HasChildren) return (RouteReason.NotAlike, $"{name} is inherited from: on the primary its rows are also those of other tables");
            if (facts.Forbids(table.Schema, out var why)) return (RouteReason.Rights, $"{name}: {why}");
            if (!hasSchema && !facts.SearchesPublicOnly) return (RouteReason.OtherDatabase, $"{name} is looked up in another schema than public");
        }
        foreach (var ((table, column), need) in _columns)
            if (Check(catalog.Find(table)!, column, need, facts) is { } refusal) return refusal;
        return MapsCase && !facts.MapsCasePlainly ? (RouteReason.NotAlike, "letters are mapped to another case by the primary's locale") : null;
    }

    private static (RouteReason, string)? Check(ReplicaTableFacts table, string name, ColumnNeed need, PrimaryFacts facts)
    {
        var full = $"{table.Schema.ReplicaName}.{name}";
        if (!table.Columns.TryGetValue(name, out var column)) return (RouteReason.NotReplicated, $"{full} is not replicated");
        if (column.PrimaryOnlyReason is { } reason) return (RouteReason.PrimaryOnlyColumn, $"{full}: {reason}");
        if (table.Marked.Contains(name)) return (RouteReason.PrimaryOnlyColumn, $"{full} holds a value that only PostgreSQL represents");
        if (!IsOfType(column, need.PgType)) return (RouteReason.NotReplicated, $"{full} is {column.TypeName} there, and not what the model says");
        if (facts.IsNondeterministic(table.Schema, name)) return (RouteReason.TextOrder, $"{full} has a collation that takes different texts for equal");
        if (need.Ordered && !Orders(column, need.PgType, facts)) return (RouteReason.TextOrder, $"{full} is not sorted by code points on the primary");
        return need.FixedScale && column.TypeModifier < 0 ? (RouteReason.NotAlike, $"{full} holds equal numbers that are written differently") : null;
    }

    private static bool IsOfType(ColumnSchema column, string pgType) => pgType switch
    {
        PgTypeName.Enum => column.Collation?.StartsWith("PG_ENUM_", StringComparison.Ordinal) == true,
        "json value" => true,
        _ => PgTypeName.Of(column.TypeName) == pgType || column.TypeName.EndsWith("." + pgType, StringComparison.Ordinal),
    };

    private static bool Orders(ColumnSchema column, string pgType, PrimaryFacts facts) => pgType switch
    {
        "text" or "character varying" => column.OrdersAlike,
        "character" or "citext" => facts.SortsByCodePoint,
        "json" or "jsonb" or "xml" => false,
        _ => true,
    };

    private sealed record Checked(ReplicaCatalog Catalog, PrimaryFacts Facts, (RouteReason Reason, string Detail)? Refusal);

    private readonly record struct ColumnNeed(string PgType, bool Ordered, bool FixedScale);
}
