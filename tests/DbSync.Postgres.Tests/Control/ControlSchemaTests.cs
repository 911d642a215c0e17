using DbSync.Testing;
using Npgsql;

namespace DbSync.Postgres.Tests.Control;

/// <summary>The control schema from every version there was, by many at once, and never by one who knows less.</summary>
[Trait("Needs", "Server")]
public sealed class ControlSchemaTests(PostgresFixture postgres)
{
    // Everything that a script can have made, without what differs from database to database.
    private const string ShapeSql =
        """
        SELECT string_agg(line, E'\n' ORDER BY line) FROM (
            SELECT concat_ws(' ', c.relkind, c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid))
            FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
            WHERE c.relnamespace = 'dbsync'::regnamespace
            UNION ALL SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'dbsync'::regnamespace
            UNION ALL SELECT concat_ws(' ', p.proname, pg_get_function_arguments(p.oid), p.proacl::text, md5(pg_get_functiondef(p.oid))) FROM pg_proc p WHERE p.pronamespace = 'dbsync'::regnamespace AND p.prokind = 'f'
            UNION ALL SELECT concat_ws(' ', name, checksum) FROM dbsync.migration
        ) AS x (line)
        """;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_earlier_version_comes_to_the_same_shape_as_a_new_one()
    {
        var fresh = await UpgradeAsync(0);
        for (var version = 1; version <= ControlSchema.Scripts.Count; version++) (await UpgradeAsync(version)).ShouldBe(fresh, $"from the first {version}");
    }

    [Fact]
    public async Task Ten_that_start_at_once_run_each_script_once()
    {
        var connectionString = await postgres.CreateDatabaseAsync(Cancel);
        var ran = await Task.WhenAll(Enumerable.Range(0, 10).Select(async _ =>
        {
            await using var primary = new Primary(connectionString);
            return await new ControlSchema(primary).UpgradeAsync(Cancel);
        }));
        ran.SelectMany(r => r).ShouldBe(ControlSchema.Scripts.Select(s => s.Name));
    }

    [Fact]
    public async Task A_newer_schema_and_a_changed_script_are_refused()
    {
        var connectionString = await postgres.CreateDatabaseAsync(Cancel);
        await using var primary = new Primary(connectionString);
        var schema = new ControlSchema(primary);
        await schema.UpgradeAsync(Cancel);
        await primary.ExecuteAsync("INSERT INTO dbsync.migration (name, checksum) VALUES ('9999_later.sql', '')", Cancel);
        (await Should.ThrowAsync<DbSyncException>(() => schema.UpgradeAsync(Cancel))).Code.ShouldBe(ErrorCodes.ControlSchemaNewer);
        await primary.ExecuteAsync("DELETE FROM dbsync.migration WHERE name = '9999_later.sql'; UPDATE dbsync.migration SET checksum = 'x' WHERE name = '0001_control.sql'", Cancel);
        (await Should.ThrowAsync<DbSyncException>(() => schema.PendingAsync(Cancel))).Code.ShouldBe(ErrorCodes.ControlSchemaNewer);
    }

    /// <summary>Brings a database by hand to the first scripts, then upgrades; returns its shape.</summary>
    private async Task<string> UpgradeAsync(int first)
    {
        var connectionString = await postgres.CreateDatabaseAsync(Cancel);
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(Cancel);
        foreach (var script in ControlSchema.Scripts.Take(first))
        {
            await using var run = new NpgsqlCommand(ControlSchema.ToSql(script), connection);
            await run.ExecuteNonQueryAsync(Cancel);
        }
        await using var primary = new Primary(connectionString);
        (await new ControlSchema(primary).UpgradeAsync(Cancel)).Count.ShouldBe(ControlSchema.Scripts.Count - first);
        await using var shape = new NpgsqlCommand(ShapeSql, connection);
        return (string)(await shape.ExecuteScalarAsync(Cancel))!;
    }
}
