using DbSync.Postgres.Types;
using Npgsql;

namespace DbSync.Postgres.Tests.Types;

/// <summary>Which types EF can't read is a promise: only these, and none of them is lost.</summary>
[Trait("Needs", "Server")]
public sealed class TypeTableTests(TypeDatabase database) : IClassFixture<TypeDatabase>
{
    // Ranges, full text, hstore and geometry (efcore.md, section 4), composites, and what lives in the primary's catalog.
    private static readonly string[] PrimaryOnly =
    [
        "box", "circle", "line", "lseg", "path", "point", "polygon", "tsquery", "tsvector", "hstore", "pair", "int4range", "floatrange",
        "int4multirange", "pair[]", "tid", "regclass", "regcollation", "regconfig", "regdictionary", "regnamespace", "regoper", "regoperator",
        "regproc", "regprocedure", "regrole", "regtype", "int2vector", "refcursor", "aclitem", "pg_snapshot",
    ];

    private static readonly string[] Readable =
    [
        "bool", "int2", "int4", "int8", "oid", "xid", "cid", "xid8", "float4", "float8", "numeric", "money", "text", "varchar", "name", "bpchar",
        "\"char\"", "json", "jsonb", "jsonpath", "xml", "timestamptz", "timestamp", "date", "time", "timetz", "interval", "uuid", "bytea", "inet",
        "cidr", "macaddr", "macaddr8", "bit", "varbit", "pg_lsn", "citext", "ltree", "lquery", "ltxtquery", "mood", "posint", "nested", "ints",
    ];

    [Fact]
    public async Task Only_the_named_types_are_primary_only()
    {
        foreach (var type in PrimaryOnly) (await database.CodecAsync(type)).PrimaryOnlyReason.ShouldNotBeNull(type);
        foreach (var type in Readable) (await database.CodecAsync(type)).PrimaryOnlyReason.ShouldBeNull(type);
        foreach (var type in Readable.Except(["ints"])) (await database.CodecAsync(type + "[]")).PrimaryOnlyReason.ShouldBeNull(type);
    }

    [Fact]
    public async Task Every_base_type_of_the_system_catalog_is_in_the_table_or_kept_as_text()
    {
        var names = await database.StringsAsync("SELECT typname::text FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype = 'b'");
        foreach (var name in names) (await database.CodecAsync($"pg_catalog.\"{name}\"")).ShouldNotBeNull();
        foreach (var known in TypeTable.System.Keys) names.ShouldContain(known, "the table names a type that does not exist");
    }

    [Theory]
    [InlineData("citext", "PG_CITEXT")]
    [InlineData("char(3)", "RTRIM")]
    [InlineData("numeric(10,2)", "EF_DECIMAL")]
    [InlineData("money", "EF_DECIMAL")]
    [InlineData("mood", "PG_ENUM_mood")]
    [InlineData("app.\"Mood\"", "PG_ENUM_app.^mood")]
    [InlineData("nested", null)]
    [InlineData("text", null)]
    [InlineData("mood[]", null)]
    public async Task Columns_are_declared_with_the_collation_that_compares_like_PostgreSQL(string type, string? collation) =>
        (await database.CodecAsync(type)).Collation.ShouldBe(collation);

    [Fact]
    public async Task A_new_label_is_seen_when_the_type_is_loaded_again()
    {
        await database.ExecuteAsync("DROP TYPE IF EXISTS growing; CREATE TYPE growing AS ENUM ('a', 'c')");
        var oid = uint.Parse((await database.StringsAsync("SELECT 'growing'::regtype::oid::text")).Single()!);
        var catalog = new TypeCatalog();
        catalog.Load(database.Connection, [oid]);
        await database.ExecuteAsync("ALTER TYPE growing ADD VALUE 'b' BEFORE 'c'");
        catalog.Load(database.Connection, [oid]);
        catalog.EnumOf(oid)!.EnumLabels.ShouldBe(["a", "b", "c"]);
    }

    [Fact]
    public async Task A_type_that_is_gone_is_kept_as_text()
    {
        var catalog = new TypeCatalog();
        catalog.Load(database.Connection, [4_000_000_000]);
        catalog.CodecFor(4_000_000_000).PrimaryOnlyReason.ShouldNotBeNull();
    }

    [Fact]
    public void The_session_settings_win_over_the_environment_and_keep_the_users_own_options()
    {
        var connection = new NpgsqlConnectionStringBuilder { Options = "-c TimeZone=Asia/Tokyo -c statement_timeout=5", Timezone = "Europe/Paris" };
        SessionSettings.Pin(connection);
        connection.Options.ShouldBe($"-c TimeZone=Asia/Tokyo -c statement_timeout=5 {SessionSettings.Options}");
        connection.Timezone.ShouldBe("UTC");
        connection.ClientEncoding.ShouldBe("UTF8");
    }

    [Fact]
    public async Task The_session_settings_are_in_force_whatever_the_role_prefers()
    {
        await database.ExecuteAsync(
            """
            CREATE ROLE particular LOGIN;
            ALTER ROLE particular SET TimeZone = 'Asia/Tokyo'; ALTER ROLE particular SET DateStyle = 'German';
            ALTER ROLE particular SET extra_float_digits = -5; ALTER ROLE particular SET bytea_output = 'escape';
            ALTER ROLE particular SET IntervalStyle = 'iso_8601';
            """);
        var settings = new NpgsqlConnectionStringBuilder(database.ConnectionString) { Username = "particular" };
        try
        {
            await using var connection = new NpgsqlConnection(settings.ConnectionString);
            await connection.OpenAsync();
            await using var command = new NpgsqlCommand(
                "SELECT concat_ws(' ', '2024-02-29 12:00+00'::timestamptz, 0.1::float8 + 0.2::float8, '\\x01'::bytea, '1 day'::interval)",
                connection);
            (await command.ExecuteScalarAsync()).ShouldBe("2024-02-29 12:00:00+00 0.30000000000000004 \\x01 1 day");
        }
        finally
        {
            await database.ExecuteAsync("DROP ROLE particular");
        }
    }
}
