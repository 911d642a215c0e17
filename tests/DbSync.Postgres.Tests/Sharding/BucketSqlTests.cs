using DbSync.Testing;
using Npgsql;

namespace DbSync.Postgres.Tests.Sharding;

[Trait("Needs", "Server")]
public sealed class BucketSqlTests(PostgresFixture postgres)
{
    private const int Rows = 2000;

    private static readonly ShardKey Key = new(
        "orders",
        [
            new(1, "we\"ird", HashKind.Text),
            new(0, "Customer Id", HashKind.Integer),
            new(2, "day", HashKind.Date),
            new(3, "raw", HashKind.Bytes),
        ]);

    private static readonly Bucket[] Some = [.. Enumerable.Range(0, Bucket.Count / 4).Select(number => new Bucket((ushort)(number * 4)))];

    [Fact]
    public async Task The_expression_gives_the_bucket_that_is_computed_here_in_a_query_and_in_COPY()
    {
        await using var connection = await CreateOrdersAsync();
        var query = $"SELECT \"Customer Id\", \"we\"\"ird\", day::text, raw, {BucketSql.Expression(Key, "o")} FROM orders o";
        var row = new ChangeBuffer(256);
        var inSome = 0;
        await using (var export = await connection.BeginBinaryExportAsync($"COPY ({query}) TO STDOUT (FORMAT binary)", Token))
        {
            while (await export.StartRowAsync(Token) > 0)
            {
                row.Clear();
                row.WriteInteger(await export.ReadAsync<int>(Token));
                row.WriteText(System.Text.Encoding.UTF8.GetBytes(await export.ReadAsync<string>(Token)));
                row.WriteText(System.Text.Encoding.UTF8.GetBytes(await export.ReadAsync<string>(Token)));
                row.WriteBlob(await export.ReadAsync<byte[]>(Token));
                var bucket = Key.BucketOf(row.Written);
                ((long)bucket.Number).ShouldBe(await export.ReadAsync<long>(Token));
                if (bucket.Number % 4 == 0) inSome++;
            }
        }

        inSome.ShouldBeInRange(Rows / 8, Rows / 2);
        (await ScalarAsync(connection, $"SELECT count(*) FROM orders WHERE {BucketSql.IsIn(Key, [.. Some])}")).ShouldBe((long)inSome);
    }

    [Fact]
    public async Task An_expression_index_answers_which_rows_are_in_some_buckets()
    {
        await using var connection = await CreateOrdersAsync();
        await ExecuteAsync(connection, $"CREATE INDEX orders_bucket ON orders ({BucketSql.Expression(Key)}); ANALYZE orders");
        var plan = await ScalarAsync(
            connection,
            $"SET enable_seqscan = off; EXPLAIN (FORMAT json) SELECT * FROM orders o WHERE {BucketSql.IsIn(Key, [new(5), new(77)], "o")}");
        plan.ShouldBeOfType<string>().ShouldContain("orders_bucket");
    }

    [Fact]
    public async Task A_publication_sends_only_the_rows_of_the_buckets_it_names()
    {
        await using var connection = await CreateOrdersAsync(rows: 0);
        var slot = $"bucket_{Guid.NewGuid():N}";
        await ExecuteAsync(connection, $"CREATE PUBLICATION part FOR TABLE orders WHERE ({BucketSql.IsIn(Key, [.. Some])})");
        await ExecuteAsync(connection, $"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')");
        await FillAsync(connection, Rows);
        await ExecuteAsync(connection, "UPDATE orders SET note = 'changed'; DELETE FROM orders WHERE \"Customer Id\" % 2 = 0");
        var sent = await ScalarAsync(
            connection,
            $"""
             SELECT array_agg(count ORDER BY kind) FROM (
                 SELECT chr(get_byte(data, 0)) AS kind, count(*)
                 FROM pg_logical_slot_peek_binary_changes('{slot}', NULL, NULL, 'proto_version', '2', 'publication_names', 'part')
                 WHERE chr(get_byte(data, 0)) IN ('I', 'U', 'D') GROUP BY 1) AS kinds
             """);
        await ExecuteAsync(connection, $"SELECT pg_drop_replication_slot('{slot}')");

        await ExecuteAsync(connection, "TRUNCATE orders");
        await FillAsync(connection, Rows);
        var expected = await ScalarAsync(
            connection,
            $"""
             SELECT ARRAY[count(*) FILTER (WHERE "Customer Id" % 2 = 0), count(*), count(*)]
             FROM orders WHERE {BucketSql.IsIn(Key, [.. Some])}
             """);
        sent.ShouldBe(expected);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private async Task<NpgsqlConnection> CreateOrdersAsync(int rows = Rows)
    {
        var connection = new NpgsqlConnection(await postgres.CreateDatabaseAsync(Token));
        await connection.OpenAsync(Token);
        await ExecuteAsync(
            connection,
            """
            CREATE TABLE orders ("Customer Id" int4, "we""ird" text, day date, raw bytea, note text,
                                 PRIMARY KEY ("Customer Id", "we""ird", day, raw))
            """);
        await FillAsync(connection, rows);
        return connection;
    }

    private static Task FillAsync(NpgsqlConnection connection, int rows) => ExecuteAsync(
        connection,
        $"""
         INSERT INTO orders
         SELECT i - 500, 'ä' || md5(i::text), date '1990-01-01' + i, decode(md5('b' || i), 'hex') FROM generate_series(1, {rows}) i
         """);

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(Token);
    }

    private static async Task<object?> ScalarAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync(Token);
    }
}
