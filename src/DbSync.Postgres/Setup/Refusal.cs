namespace DbSync.Postgres;

/// <summary>Why a table is not published, and the statement that mends it.</summary>
/// <param name="Table">The table, as the replica would call it.</param>
/// <param name="Code">The code, for <c>dbsync explain</c>.</param>
/// <param name="Reason">Why, as a sentence.</param>
/// <param name="Fix">The SQL that mends it; null when none can.</param>
internal sealed record Refusal(string Table, string Code, string Reason, string? Fix)
{
    private static readonly string[] RowNumberNames = ["rowid", "oid", "_rowid_"];

    /// <summary>What keeps a table from being published; null when nothing does.</summary>
    public static Refusal? Of(TableFacts table, int serverVersion)
    {
        Refusal Because(string code, string reason, string? fix = null) => new(table.ReplicaName, code, reason, fix);
        if (table.OfExtension) return Because(ErrorCodes.TableNotPublishable, "It belongs to an extension.");
        if (table.HasForeignPartition) return Because(ErrorCodes.TableNotPublishable, "One of its partitions is a foreign table, which has no change log here.");
        if (!table.IsPermanent)
            return Because(ErrorCodes.TableNotPublishable, "It is unlogged: its changes are not in the log.", $"ALTER TABLE {table.Quoted} SET LOGGED;");
        if (table.Columns.Count == 0) return Because(ErrorCodes.TableNotPublishable, "It has no columns.");
        if (table.HasChildren)
            return Because(ErrorCodes.TableNotPublishable, "Other tables inherit from it: queries on it give their rows too, so only the primary answers them. The children can be replicated.");
        if (Names(table) is { } name) return name;
        if (!table.HasUsableIdentity) return Identity(table);
        if (table.HasGeneratedKey && serverVersion < 180000)
            return Because(
                ErrorCodes.TableWithoutIdentity, "Its identity holds a generated column, which PostgreSQL before 18 does not publish.",
                $"ALTER TABLE {table.Quoted} REPLICA IDENTITY FULL;");
        if (table.UnlikePartitions.Count > 0)
            return Because(
                ErrorCodes.TableWithoutIdentity,
                "Some of its partitions have another replica identity than the table itself: their updates would fail or lose their key.",
                table.Identity == ReplicaIdentity.Index
                    ? $"ALTER TABLE {table.Quoted} REPLICA IDENTITY DEFAULT;"
                    : string.Join(' ', table.UnlikePartitions.Select(p => $"ALTER TABLE {p} REPLICA IDENTITY {(table.Identity == ReplicaIdentity.Full ? "FULL" : "DEFAULT")};")));
        return null;
    }

    private static Refusal Identity(TableFacts table)
    {
        var alter = $"ALTER TABLE {table.Quoted} ";
        var (reason, fix) = table switch
        {
            { HasPrimaryKey: true } => ("Its replica identity does not name the primary key that it has.", $"{alter}REPLICA IDENTITY DEFAULT;"),
            { UniqueIndex: { } index } => (
                "It has no usable primary key; a unique index over columns that are NOT NULL can stand in.",
                $"{alter}REPLICA IDENTITY USING INDEX {PgName.Quote(index)};"),
            _ => ("It has no primary key and no unique index over columns that are NOT NULL. A primary key is best; FULL works without one.",
                $"{alter}REPLICA IDENTITY FULL;"),
        };
        return new Refusal(table.ReplicaName, ErrorCodes.TableWithoutIdentity, $"{reason} Published like this, the application's own UPDATE and DELETE would fail.", fix);
    }

    private static Refusal? Names(TableFacts table)
    {
        if (table.ReplicaName.StartsWith("sqlite_", StringComparison.OrdinalIgnoreCase))
            return new Refusal(
                table.ReplicaName, ErrorCodes.NameCollision, "SQLite keeps names that begin with sqlite_ for itself.",
                $"ALTER TABLE {table.Quoted} RENAME TO {PgName.Quote("app_" + table.Name)};");
        if (table.ReplicaName.StartsWith("dbsync.", StringComparison.OrdinalIgnoreCase))
            return new Refusal(
                table.ReplicaName, ErrorCodes.NameCollision, "In a shard file its name would meet one of DbSync's own.",
                $"ALTER TABLE {table.Quoted} RENAME TO {PgName.Quote("app_" + table.Name)};");
        var twins = table.Columns.GroupBy(c => c, StringComparer.OrdinalIgnoreCase).FirstOrDefault(g => g.Count() > 1)?.ToList();
        if (twins is not null)
            return new Refusal(
                table.ReplicaName, ErrorCodes.NameCollision, $"Its columns {PgName.Quote(twins[0])} and {PgName.Quote(twins[1])} differ only by case, which SQLite does not tell apart.",
                $"ALTER TABLE {table.Quoted} RENAME COLUMN {PgName.Quote(twins[1])} TO {PgName.Quote(twins[1] + "_2")};");
        var hidesRowNumber = RowNumberNames.All(n => table.Columns.Contains(n, StringComparer.OrdinalIgnoreCase));
        return hidesRowNumber && !table.HasPrimaryKey
            ? new Refusal(
                table.ReplicaName, ErrorCodes.NameCollision, "It has no key, and its columns rowid, oid and _rowid_ hide SQLite's row number, which would stand in.",
                $"ALTER TABLE {table.Quoted} RENAME COLUMN \"_rowid_\" TO \"_rowid_2\";")
            : null;
    }
}
