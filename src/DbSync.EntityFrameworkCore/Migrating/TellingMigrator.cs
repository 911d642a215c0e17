using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.EntityFrameworkCore.Storage;

namespace DbSync.EntityFrameworkCore.Migrating;

/// <summary>
/// EF Core's migrator, which says at the end of each migration that the schema has changed: where event triggers can't be had, the replicas
/// learn of it by that. Columns that came in a table of which some are kept back are published then. Scripts say it too, and a database that knows nothing of DbSync is left alone.
/// </summary>
internal sealed class TellingMigrator(IMigrator inner, IRelationalConnection connection) : IMigrator
{
    // In a block of its own, so that a role without the right has migrated all the same.
    private const string TellSql =
        """
        DO $dbsync$ BEGIN
            IF pg_catalog.to_regprocedure('dbsync.apply_choices()') IS NOT NULL THEN PERFORM dbsync.apply_choices(); END IF;
        EXCEPTION WHEN insufficient_privilege THEN RAISE NOTICE 'DbSync''s publications were not brought up to date: this role may not call dbsync.apply_choices()';
        END $dbsync$;
        DO $dbsync$ BEGIN
            IF pg_catalog.to_regprocedure('dbsync.schema_changed(boolean)') IS NOT NULL THEN PERFORM dbsync.schema_changed(); END IF;
        EXCEPTION WHEN insufficient_privilege THEN RAISE NOTICE 'DbSync''s replicas were not told: this role may not call dbsync.schema_changed()';
        END $dbsync$;
        """;

    public void Migrate(string? targetMigration = null)
    {
        inner.Migrate(targetMigration);
        connection.Open();
        try
        {
            using var command = connection.DbConnection.CreateCommand();
            (command.CommandText, command.Transaction) = (TellSql, connection.CurrentTransaction?.GetDbTransaction());
            command.ExecuteNonQuery();
        }
        finally
        {
            connection.Close();
        }
    }

    public async Task MigrateAsync(string? targetMigration = null, CancellationToken cancellationToken = default)
    {
        await inner.MigrateAsync(targetMigration, cancellationToken).ConfigureAwait(false);
        await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var command = connection.DbConnection.CreateCommand();
            await using (command.ConfigureAwait(false))
            {
                (command.CommandText, command.Transaction) = (TellSql, connection.CurrentTransaction?.GetDbTransaction());
                await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            await connection.CloseAsync().ConfigureAwait(false);
        }
    }

    public string GenerateScript(string? fromMigration = null, string? toMigration = null, MigrationsSqlGenerationOptions options = MigrationsSqlGenerationOptions.Default)
    {
        var script = inner.GenerateScript(fromMigration, toMigration, options);
        return string.IsNullOrWhiteSpace(script) ? script : $"{script}{TellSql}{Environment.NewLine}{Environment.NewLine}";
    }

    public bool HasPendingModelChanges() => inner.HasPendingModelChanges();
}
