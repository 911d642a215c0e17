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

    private const string Choices =
        """
        CREATE SCHEMA dbsync;
        CREATE TABLE dbsync.table_choice (relation regclass PRIMARY KEY, placement text NOT NULL, shard_key text[] NOT NULL DEFAULT '{}',
            hidden text[] NOT NULL DEFAULT '{}', placed_as text, taken_from text[] NOT NULL DEFAULT '{}');
        CREATE TABLE public.sales (id int PRIMARY KEY);
        INSERT INTO dbsync.table_choice VALUES ('public.sales', 'sharded', '{id}');
        """;

    private const string Spy = "CREATE TABLE public.seen (who text); CREATE FUNCTION public.spy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.seen VALUES (current_user); RETURN NULL; END $$;";

    [Fact]
    public async Task What_migrations_chose_before_is_kept_and_nothing_else_of_the_role_that_wrote_it()
    {
        var (connectionString, _) = await PlantAsync(
            $"{Choices} {Spy} CREATE TRIGGER t AFTER INSERT OR UPDATE OR DELETE ON dbsync.table_choice EXECUTE FUNCTION public.spy(); GRANT ALL ON SCHEMA dbsync TO PUBLIC; GRANT ALL ON dbsync.table_choice TO PUBLIC");
        await using var primary = new Primary(connectionString);
        await new ControlSchema(primary).UpgradeAsync(Cancel);
        (await primary.ScalarAsync<string>("SELECT string_agg(relation::text || placement || shard_key::text, ';') FROM dbsync.table_choice", Cancel)).ShouldBe("salessharded{id}");
        await primary.ExecuteAsync("UPDATE dbsync.table_choice SET hidden = '{}'", Cancel);
        (await primary.ScalarAsync<long>("SELECT count(*) FROM public.seen", Cancel)).ShouldBe(0);
        (await primary.ScalarAsync<bool>("SELECT nspowner = current_user::regrole AND nspacl IS NULL FROM pg_namespace WHERE nspname = 'dbsync'", Cancel)).ShouldBeTrue();
        (await primary.ScalarAsync<bool>("SELECT bool_and(relowner = current_user::regrole) FROM pg_class WHERE relnamespace = 'dbsync'::regnamespace", Cancel)).ShouldBeTrue();
    }

    [Theory]
    [InlineData("CREATE SCHEMA dbsync; CREATE FUNCTION dbsync.rights(int) RETURNS int LANGUAGE sql AS 'SELECT 1'", "rights")]
    [InlineData("CREATE SCHEMA dbsync; CREATE VIEW dbsync.table_choice AS SELECT 1 AS relation", "table_choice")]
    [InlineData("CREATE SCHEMA dbsync; CREATE TABLE dbsync.table_choice (relation regclass, placement varchar, shard_key text[], hidden text[], placed_as text, taken_from text[])", "table_choice")]
    [InlineData("CREATE SCHEMA dbsync; CREATE TABLE dbsync.fence (id int)", "fence")]
    public async Task A_schema_with_something_else_in_it_is_left_as_it_is(string planted, string named)
    {
        var (connectionString, role) = await PlantAsync(planted);
        await using var primary = new Primary(connectionString);
        var refusal = await Should.ThrowAsync<DbSyncException>(() => new ControlSchema(primary).UpgradeAsync(Cancel));
        refusal.Code.ShouldBe(ErrorCodes.ControlSchemaForeign);
        refusal.Message.ShouldContain(named);
        (await primary.ScalarAsync<bool>($"SELECT nspowner = '{role}'::regrole FROM pg_namespace WHERE nspname = 'dbsync'", Cancel)).ShouldBeTrue();
    }

    [Fact]
    public async Task A_set_up_that_another_role_has_forged_is_not_used()
    {
        var (connectionString, role) = await PlantAsync("CREATE SCHEMA dbsync; CREATE TABLE dbsync.migration (name text, checksum text)");
        await using var primary = new Primary(connectionString);
        var refusal = await Should.ThrowAsync<DbSyncException>(() => new ControlSchema(primary).PendingAsync(Cancel));
        refusal.Code.ShouldBe(ErrorCodes.ControlSchemaForeign);
        refusal.Message.ShouldContain(role);
    }

    [Fact]
    public async Task A_schema_that_is_not_to_be_had_is_refused()
    {
        var (connectionString, _) = await PlantAsync("SELECT 1");
        await using var owner = new Primary(connectionString);
        await owner.ExecuteAsync("CREATE SCHEMA dbsync", Cancel);
        await using var primary = new Primary(await LoginAsync(connectionString));
        (await Should.ThrowAsync<DbSyncException>(() => new ControlSchema(primary).UpgradeAsync(Cancel))).Code.ShouldBe(ErrorCodes.ControlSchemaForeign);
    }

    [Fact]
    public async Task A_role_that_may_make_no_schema_is_told_so()
    {
        var connectionString = await postgres.CreateDatabaseAsync(Cancel);
        var login = await LoginAsync(connectionString);
        await using var owner = new Primary(connectionString);
        await owner.ExecuteAsync($"DO $$ BEGIN EXECUTE format('REVOKE CREATE ON DATABASE %I FROM {new NpgsqlConnectionStringBuilder(login).Username}', current_database()); END $$", Cancel);
        await using var primary = new Primary(login);
        (await Should.ThrowAsync<DbSyncException>(() => new ControlSchema(primary).UpgradeAsync(Cancel))).Code.ShouldBe(ErrorCodes.MissingPrivilege);
    }

    /// <summary>A database in which a role that may create schemas has been there first.</summary>
    private async Task<(string ConnectionString, string Role)> PlantAsync(string sql)
    {
        var connectionString = await postgres.CreateDatabaseAsync(Cancel);
        var login = await LoginAsync(connectionString);
        await using var primary = new Primary(login);
        await primary.ExecuteAsync(sql, Cancel);
        return (connectionString, new NpgsqlConnectionStringBuilder(login).Username!);
    }

    private static async Task<string> LoginAsync(string connectionString)
    {
        var role = $"planter_{Guid.NewGuid():n}";
        await using var primary = new Primary(connectionString);
        await primary.ExecuteAsync($"CREATE ROLE {role} LOGIN PASSWORD '{role}'; GRANT ALL ON SCHEMA public TO {role}", Cancel);
        await primary.ExecuteAsync($"DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO {role}', current_database()); END $$", Cancel);
        return new NpgsqlConnectionStringBuilder(connectionString) { Username = role, Password = role }.ConnectionString;
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
