using System.Collections.Immutable;
using DbSync.Testing;
using Npgsql;

namespace DbSync.Postgres.Tests.Sharding;

[Trait("Needs", "Server")]
public sealed class ShardKeyReaderTests(PostgresFixture postgres)
{
    private static readonly ImmutableArray<string> Names = ["id", "part", "mood", "ratio", "loose", "code", "doc"];

    [Fact]
    public async Task Columns_are_resolved_in_the_order_of_the_key_and_domains_to_what_is_beneath()
    {
        await using var connection = await CreateAsync();
        var key = await ReadAsync(connection, "code", "part", "id");
        key.Columns.ShouldBe([new(5, "code", HashKind.PaddedText), new(1, "part", HashKind.Integer), new(0, "id", HashKind.Uuid)]);
    }

    [Theory]
    [InlineData("mood", "enum")]
    [InlineData("ratio", "floating-point")]
    [InlineData("loose", "collation")]
    [InlineData("doc", "jsonb")]
    [InlineData("gone", "gone")]
    public async Task What_cannot_be_a_shard_key_is_refused_by_name(string column, string reason)
    {
        await using var connection = await CreateAsync();
        var refusal = await Should.ThrowAsync<DbSyncException>(() => ReadAsync(connection, "id", column));
        refusal.Code.ShouldBe(ErrorCodes.UnsupportedShardKey);
        refusal.Message.ShouldContain(column);
        refusal.Message.ShouldContain(reason);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static async Task<ShardKey> ReadAsync(NpgsqlConnection connection, params string[] columns)
    {
        await using var command = new NpgsqlCommand("SELECT 'kinds'::regclass::oid", connection);
        var oid = (uint)(await command.ExecuteScalarAsync(Token))!;
        var table = new TableSchema(
            new TableId(oid),
            "public",
            "kinds",
            ReplicaIdentity.Full,
            [.. Names.Select(name => new ColumnSchema(name, 0, -1, "", StorageClass.Text))],
            [],
            [],
            []);
        return await ShardKeyReader.ReadAsync(connection, table, [.. columns], Token);
    }

    private async Task<NpgsqlConnection> CreateAsync()
    {
        var connection = new NpgsqlConnection(await postgres.CreateDatabaseAsync(Token));
        await connection.OpenAsync(Token);
        await using var command = new NpgsqlCommand(
            """
            CREATE TYPE mood AS ENUM ('glad', 'sad');
            CREATE DOMAIN number AS int4;
            CREATE DOMAIN part AS number CHECK (VALUE > 0);
            CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
            CREATE TABLE kinds (id uuid, part part, mood mood, ratio float8, loose text COLLATE loose, code char(2), doc jsonb);
            """,
            connection);
        await command.ExecuteNonQueryAsync(Token);
        return connection;
    }
}
