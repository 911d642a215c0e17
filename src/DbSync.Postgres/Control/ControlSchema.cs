using System.Security.Cryptography;
using System.Text;
using DbUp;
using DbUp.Engine;
using Npgsql;

namespace DbSync.Postgres;

/// <summary>Brings the schema <c>dbsync</c> on the primary to the shape this version knows: numbered scripts, each once, under a lock.</summary>
internal sealed class ControlSchema(Primary primary)
{
    /// <summary>The advisory lock that keeps two installers apart: "dbsync" in ASCII.</summary>
    private const long LockKey = 0x6462_7379_6e63;

    private const string JournalSql =
        """
        CREATE SCHEMA IF NOT EXISTS dbsync;
        CREATE TABLE IF NOT EXISTS dbsync.migration (
            name text PRIMARY KEY,
            checksum text NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
        )
        """;

    /// <summary>The scripts this version knows, in order.</summary>
    public static IReadOnlyList<(string Name, string Sql)> Scripts { get; } = LoadScripts();

    /// <summary>The scripts that have not run on the primary yet.</summary>
    /// <exception cref="DbSyncException">DBS2004 when the primary's schema is newer, or a script has changed since it ran; DBS2014 when it is somebody else's.</exception>
    public Task<IReadOnlyList<(string Name, string Sql)>> PendingAsync(CancellationToken cancellationToken) => primary.UseAsync(
        connection => PendingAsync(connection, cancellationToken), cancellationToken);

    /// <summary>A script as a person can run it: with the row that records it.</summary>
    public static string ToSql((string Name, string Sql) script) =>
        $"{script.Sql.TrimEnd()}\n\n{JournalSql};\nINSERT INTO dbsync.migration (name, checksum) VALUES ({PgName.Literal(script.Name)}, {PgName.Literal(Checksum(script.Sql))});";

    /// <summary>Runs what has not run yet; returns the names of the scripts run.</summary>
    public async Task<IReadOnlyList<string>> UpgradeAsync(CancellationToken cancellationToken)
    {
        await using var connection = await primary.OpenAsync(cancellationToken);
        await using var take = Primary.Command(connection, "SELECT pg_catalog.pg_advisory_lock($1)", LockKey);
        await take.ExecuteNonQueryAsync(cancellationToken);
        try
        {
            var pending = await PendingAsync(connection, cancellationToken);
            if (pending.Count == 0) return [];
            if (pending.Count == Scripts.Count) await ControlSchemaGuard.MakeAsync(connection, cancellationToken);
            var upgrade = DeployChanges.To
                .PostgresqlDatabase(new NpgsqlConnectionStringBuilder(primary.ConnectionString) { Pooling = false }.ConnectionString) // a pool would outlive this
                .WithScripts(pending.Select(s => new SqlScript(s.Name, s.Sql)))
                .JournalTo((_, _) => new Journal())
                .WithTransactionPerScript()
                .WithVariablesDisabled()
                .LogToNowhere()
                .Build();
            var result = await Task.Run(upgrade.PerformUpgrade, cancellationToken);
            if (!result.Successful) throw PrimaryErrors.TryTranslate(result.Error) ?? result.Error;
            return [.. pending.Select(s => s.Name)];
        }
        catch (Exception exception) when (PrimaryErrors.TryTranslate(exception) is { } translated)
        {
            throw translated;
        }
        finally
        {
            await using var release = Primary.Command(connection, "SELECT pg_catalog.pg_advisory_unlock($1)", LockKey);
            await release.ExecuteNonQueryAsync(CancellationToken.None);
        }
    }

    private static async Task<IReadOnlyList<(string Name, string Sql)>> PendingAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var applied = new Dictionary<string, string>(StringComparer.Ordinal);
        await using (var exists = Primary.Command(connection, "SELECT EXISTS (SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = 'dbsync' AND c.relname = 'migration')"))
        {
            if ((bool)(await exists.ExecuteScalarAsync(cancellationToken))!)
            {
                await ControlSchemaGuard.CheckAsync(connection, cancellationToken);
                await using var read = Primary.Command(connection, "SELECT name, checksum FROM dbsync.migration");
                await using var reader = await read.ExecuteReaderAsync(cancellationToken);
                while (await reader.ReadAsync(cancellationToken)) applied.Add(reader.GetString(0), reader.GetString(1));
            }
        }
        if (applied.Keys.Except(Scripts.Select(s => s.Name), StringComparer.Ordinal).FirstOrDefault() is { } unknown)
            throw new DbSyncException(
                ErrorCodes.ControlSchemaNewer, $"The primary's control schema has '{unknown}', which this version does not know.", "Use the newer DbSync.");
        if (Scripts.FirstOrDefault(s => applied.TryGetValue(s.Name, out var sum) && sum != Checksum(s.Sql)).Name is { } changed)
            throw new DbSyncException(
                ErrorCodes.ControlSchemaNewer, $"'{changed}' ran on the primary with another content than this version has.", "Use a released version.");
        return [.. Scripts.Where(s => !applied.ContainsKey(s.Name))];
    }

    private static string Checksum(string sql) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(sql.ReplaceLineEndings("\n"))));

    private static List<(string Name, string Sql)> LoadScripts()
    {
        const string Prefix = "migrations/";
        var assembly = typeof(ControlSchema).Assembly;
        return assembly.GetManifestResourceNames()
            .Where(n => n.StartsWith(Prefix, StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
            .Select(n =>
            {
                using var reader = new StreamReader(assembly.GetManifestResourceStream(n)!);
                return (n[Prefix.Length..], reader.ReadToEnd());
            })
            .ToList();
    }

    /// <summary>Records each script with its checksum, in the transaction that ran it.</summary>
    private sealed class Journal : IJournal
    {
        // What is pending was decided under the lock, before.
        public string[] GetExecutedScripts() => [];

        public void EnsureTableExistsAndIsLatestVersion(Func<System.Data.IDbCommand> commands)
        {
            using var command = commands();
            command.CommandText = JournalSql;
            command.ExecuteNonQuery();
        }

        public void StoreExecutedScript(SqlScript script, Func<System.Data.IDbCommand> commands)
        {
            EnsureTableExistsAndIsLatestVersion(commands);
            using var command = commands();
            command.CommandText = "INSERT INTO dbsync.migration (name, checksum) VALUES (@name, @checksum)";
            Add(command, "name", script.Name);
            Add(command, "checksum", Checksum(script.Contents));
            command.ExecuteNonQuery();
        }

        private static void Add(System.Data.IDbCommand command, string name, string value)
        {
            var parameter = command.CreateParameter();
            (parameter.ParameterName, parameter.Value) = (name, value);
            command.Parameters.Add(parameter);
        }
    }
}
