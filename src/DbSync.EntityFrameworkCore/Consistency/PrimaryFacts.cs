using System.Collections.Frozen;
using System.Data.Common;

namespace DbSync.EntityFrameworkCore.Consistency;

/// <summary>What the primary says of itself to the context's own role: everything that an answer depends on besides the rows.</summary>
internal sealed class PrimaryFacts
{
    // One row: the server. Then one row a table that the replica must not answer for, and one a column of a nondeterministic collation.
    private const string Sql =
        """
        SELECT 'server', (SELECT system_identifier::text FROM pg_catalog.pg_control_system()), pg_catalog.current_database()::text,
            d.datcollate::text, d.datctype::text, coalesce(pg_catalog.to_jsonb(d) ->> 'datlocprovider', 'c'),
            pg_catalog.array_to_string(pg_catalog.current_schemas(false), ','), (SELECT timeline_id::text FROM pg_catalog.pg_control_checkpoint()),
            pg_catalog.pg_is_in_recovery()::text, pg_catalog.clock_timestamp()
        FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database()
        UNION ALL
        SELECT 'table', n.nspname::text, c.relname::text,
            CASE WHEN pg_catalog.row_security_active(c.oid) THEN 'rls' WHEN NOT pg_catalog.has_table_privilege(c.oid, 'SELECT') THEN 'privilege'
                ELSE 'inherited' END, NULL, NULL, NULL, NULL, NULL, NULL
        FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
            AND (pg_catalog.row_security_active(c.oid) OR NOT pg_catalog.has_table_privilege(c.oid, 'SELECT')
                OR c.relkind = 'r' AND EXISTS (SELECT FROM pg_catalog.pg_inherits AS i WHERE i.inhparent = c.oid))
        UNION ALL
        SELECT 'table', p.schemaname::text, p.tablename::text, 'filter', NULL, NULL, NULL, NULL, NULL, NULL
        FROM pg_catalog.pg_publication_tables AS p
        WHERE p.pubname = @publication AND pg_catalog.to_jsonb(p) ->> 'rowfilter' IS NOT NULL
        UNION ALL
        SELECT 'column', n.nspname::text, c.relname::text, a.attname::text, NULL, NULL, NULL, NULL, NULL, NULL
        FROM pg_catalog.pg_attribute AS a
        JOIN pg_catalog.pg_collation AS co ON co.oid = a.attcollation AND NOT co.collisdeterministic
        JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE a.attnum > 0 AND NOT a.attisdropped
        """;

    private static readonly string[] CodePointLocales = ["C", "POSIX", "C.UTF-8", "C.utf8"];
    private static readonly string[] OddLocales = ["C", "POSIX", "tr_", "az_", "lt_"];

    private readonly FrozenDictionary<(string Schema, string Table), string> _forbidden;
    private readonly FrozenSet<(string Schema, string Table, string Column)> _nondeterministic;

    private PrimaryFacts(
        Server server, FrozenDictionary<(string Schema, string Table), string> forbidden, FrozenSet<(string Schema, string Table, string Column)> nondeterministic)
    {
        (SystemIdentifier, Database, Timeline) = (ulong.Parse(server.SystemIdentifier), server.Database, uint.Parse(server.Timeline));
        (IsPrimary, SearchesPublicOnly) = (!server.InRecovery, server.Schemas == "public");
        SortsByCodePoint = server.Provider == "c" && CodePointLocales.Contains(server.Collate);
        MapsCasePlainly = server.Provider == "c" && !OddLocales.Any(l => server.CharacterType == l || (l.EndsWith('_') && server.CharacterType.StartsWith(l, StringComparison.Ordinal)));
        (ClockOffset, ReadAt) = (server.ClockOffset, server.ReadAt);
        (_forbidden, _nondeterministic) = (forbidden, nondeterministic);
    }

    public ulong SystemIdentifier { get; }

    public string Database { get; }

    public uint Timeline { get; }

    /// <summary>False when the context is connected to a standby.</summary>
    public bool IsPrimary { get; }

    /// <summary>True when an unqualified table can only be one of <c>public</c>.</summary>
    public bool SearchesPublicOnly { get; }

    /// <summary>True when the database's own collation sorts as SQLite does.</summary>
    public bool SortsByCodePoint { get; }

    /// <summary>True when lower and upper follow Unicode's simple mapping for common letters.</summary>
    public bool MapsCasePlainly { get; }

    /// <summary>
    /// How far the primary's clock is ahead of this process's, at the most: as if it had answered at once, so that a slow answer never makes a replica
    /// look younger than it is.
    /// </summary>
    public TimeSpan ClockOffset { get; }

    /// <summary>When this was read, as the clock's timestamp.</summary>
    public long ReadAt { get; }

    public bool Forbids(TableSchema table, out string why)
    {
        if (!_forbidden.TryGetValue((table.Schema, table.Name), out var kind))
        {
            why = "";
            return false;
        }
        why = kind switch
        {
            "rls" => "row-level security applies to the context's role",
            "privilege" => "the context's role may not SELECT it",
            "filter" => "only some of its rows are replicated",
            _ => "other tables inherit from it",
        };
        return true;
    }

    public bool IsNondeterministic(TableSchema table, string column) => _nondeterministic.Contains((table.Schema, table.Name, column));

    /// <summary>Reads them on an open connection.</summary>
    public static async ValueTask<PrimaryFacts> ReadAsync(
        DbConnection connection, string publication, bool ignoreRowSecurity, TimeProvider time, bool async, CancellationToken cancellationToken)
    {
        await using var command = connection.CreateCommand();
        command.CommandText = Sql;
        var parameter = command.CreateParameter();
        (parameter.ParameterName, parameter.Value) = ("publication", publication);
        command.Parameters.Add(parameter);
        var askedAt = time.GetUtcNow();
        await using var reader = async ? await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false) : command.ExecuteReader();
        Server? server = null;
        var forbidden = new Dictionary<(string, string), string>();
        var nondeterministic = new HashSet<(string, string, string)>();
        while (async ? await reader.ReadAsync(cancellationToken).ConfigureAwait(false) : reader.Read())
        {
            switch (reader.GetString(0))
            {
                case "server":
                    server = new Server(
                        reader.GetString(1), reader.GetString(2), reader.GetString(3), reader.GetString(4), reader.GetString(5), reader.IsDBNull(6) ? "" : reader.GetString(6),
                        reader.GetString(7), reader.GetString(8) == "true", reader.GetFieldValue<DateTime>(9) - askedAt.UtcDateTime, time.GetTimestamp());
                    break;
                case "table" when !ignoreRowSecurity || reader.GetString(3) != "rls":
                    forbidden[(reader.GetString(1), reader.GetString(2))] = reader.GetString(3);
                    break;
                case "column":
                    nondeterministic.Add((reader.GetString(1), reader.GetString(2), reader.GetString(3)));
                    break;
                default:
                    break;
            }
        }
        return new PrimaryFacts(server!, forbidden.ToFrozenDictionary(), nondeterministic.ToFrozenSet());
    }

    private sealed record Server(
        string SystemIdentifier, string Database, string Collate, string CharacterType, string Provider, string Schemas, string Timeline, bool InRecovery,
        TimeSpan ClockOffset, long ReadAt);
}
