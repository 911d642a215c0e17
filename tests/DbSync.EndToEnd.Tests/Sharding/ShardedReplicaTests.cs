using System.Text.Json;
using DbSync.EndToEnd.Tests.Cli;
using DbSync.Sqlite;
using DbSync.Testing;

namespace DbSync.EndToEnd.Tests.Sharding;

/// <summary>A replica of several shards on one node, by the real tool: how it is set up, where its rows are, and how they are read together.</summary>
[Trait("Needs", "Server")]
public sealed class ShardedReplicaTests(PostgresFixture postgres)
{
    private const string Shop =
        """
        CREATE TABLE customers (id bigint PRIMARY KEY, name text NOT NULL, balance int NOT NULL);
        CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint REFERENCES customers DEFERRABLE, total numeric(12,2) NOT NULL);
        CREATE INDEX orders_customer ON orders (customer_id);
        CREATE TABLE countries (code text PRIMARY KEY, name text);
        CREATE TABLE measures (at double precision PRIMARY KEY);
        INSERT INTO customers SELECT g, 'customer ' || g, 100 FROM generate_series(1, 500) g;
        INSERT INTO orders SELECT g, 1 + g % 500, g FROM generate_series(1, 3000) g;
        INSERT INTO countries SELECT 'c' || g, 'country ' || g FROM generate_series(1, 20) g;
        """;

    private static readonly string[] Three = ["init", "--shards", "a:1,b:2,c:1", "--shard-key", "customers=id"];

    [Fact]
    public async Task Init_says_what_a_shard_key_lacks_and_then_places_every_table()
    {
        await using var replica = await CliReplica.CreateAsync(postgres, Shop);
        Code(await replica.JsonAsync(3, "init", "--shards", "3", "--shard-key", "orders=customer_id")).ShouldBe(ErrorCodes.NullShardKey);
        await replica.ExecuteAsync("ALTER TABLE orders ALTER customer_id SET NOT NULL");
        var lacking = await replica.JsonAsync(3, "init", "--shards", "3", "--shard-key", "orders=customer_id");
        Code(lacking).ShouldBe(ErrorCodes.ShardKeyNotInIdentity);
        Code(await replica.JsonAsync(3, "init", "--shards", "3", "--shard-key", "measures=at")).ShouldBe(ErrorCodes.UnsupportedShardKey);
        (await replica.RunAsync("init", "--shards", "3")).ExitCode.ShouldBe(2);
        (await replica.ScalarAsync<bool>("SELECT to_regclass('dbsync.shard_map') IS NULL")).ShouldBeTrue("nothing was set up yet");

        await replica.ExecuteAsync(lacking.GetProperty("error").GetProperty("fix").GetString()!);
        var first = await replica.JsonAsync(0, Three);
        var again = await replica.JsonAsync(0, Three);

        var keys = first.GetProperty("shardKeys");
        keys.GetProperty("customers").EnumerateArray().Single().GetString().ShouldBe("id");
        keys.GetProperty("orders").EnumerateArray().Single().GetString().ShouldBe("customer_id", "it refers to a sharded table by its key");
        first.GetProperty("references").EnumerateArray().Select(r => r.GetProperty("table").GetString()).ShouldBe(["countries", "measures"]);
        again.GetProperty("changed").GetBoolean().ShouldBeFalse();
        Code(await replica.JsonAsync(1, "init", "--shards", "4", "--shard-key", "customers=id")).ShouldBe(ErrorCodes.LayoutMismatch);
        var doctor = (await replica.RunAsync("doctor")).StandardOutput;
        doctor.ShouldContain("orders by customer_id");

        await replica.ExecuteAsync("ALTER TABLE orders REPLICA IDENTITY DEFAULT");
        (await replica.RunAsync("doctor", "--json")).StandardOutput.ShouldContain(ErrorCodes.ShardKeyNotInIdentity);
    }

    [Fact]
    public async Task Rows_are_where_the_primarys_own_hash_says_and_are_read_and_verified_as_one()
    {
        await using var replica = await SetUpAsync();
        await using (var node = await replica.StartAsync())
        {
            await replica.ExecuteAsync("UPDATE customers SET id = id + 1000 WHERE id NOT IN (SELECT customer_id FROM orders); INSERT INTO orders VALUES (9001, 7, 1.50)");
            await replica.ExecuteAsync("BEGIN; SET CONSTRAINTS ALL DEFERRED; UPDATE customers SET id = 5000 WHERE id = 7; UPDATE orders SET customer_id = 5000 WHERE customer_id = 7; COMMIT");
            var verified = await replica.JsonAsync(0, "verify");
            verified.GetProperty("equal").GetBoolean().ShouldBeTrue();
            verified.GetProperty("tables").EnumerateArray().Single(t => t.GetProperty("name").GetString() == "orders").GetProperty("rowsReplica").GetInt64().ShouldBe(3001);

            Rows(await replica.JsonAsync(0, "sql", "SELECT count(*), max(id), min(id) FROM orders")).ShouldBe("[[3001,9001,1]]");
            Rows(await replica.JsonAsync(0, "sql", "SELECT id FROM orders ORDER BY id DESC LIMIT 3")).ShouldBe("[[9001],[3000],[2999]]");
            Rows(await replica.JsonAsync(0, "sql", "SELECT count(*), (SELECT count(*) FROM countries) FROM customers c JOIN orders o ON o.customer_id = c.id")).ShouldBe("[[3001,20]]");
            Rows(await replica.JsonAsync(0, "sql", "SELECT count(*) FROM orders WHERE customer_id = 5000")).ShouldBe("[[7]]");
            var list = await replica.JsonAsync(0, "shards", "list", "--buckets");
            var shards = list.GetProperty("shards").EnumerateArray().ToList();
            shards.Select(s => (s.GetProperty("id").GetString(), s.GetProperty("buckets").GetInt32())).ShouldBe([("a", 4096), ("b", 8192), ("c", 4096)]);
            shards.Sum(s => s.GetProperty("rows").GetInt64()).ShouldBe(3501);
            list.GetProperty("heaviest")[0].GetProperty("rows").GetInt64().ShouldBeGreaterThan(7, "a customer and its orders are in one bucket");
            var plan = await replica.JsonAsync(0, "shards", "plan", "--add", "d:4");
            (plan.GetProperty("buckets").GetInt32(), plan.GetProperty("bucketsMin").GetInt32()).ShouldBe((8192, 8192), "half of the weight goes to the new shard");
            plan.GetProperty("moves").EnumerateArray().Select(m => m.GetProperty("to").GetString()).Distinct(StringComparer.Ordinal).ShouldBe(["d"]);
            plan.GetProperty("rows").GetInt64().ShouldBeInRange(1000, 2500);
            Code(await replica.JsonAsync(2, "shards", "plan", "--remove", "nobody")).ShouldBe(ErrorCodes.InvalidOption);
            node.Terminate();
            (await node.WaitForExitAsync()).ShouldBe(0);
        }

        var files = Directory.GetFiles(replica.Data, "*.db");
        (await ReplicaOracle.CompareAsync(replica.Primary, "dbsync_main", files)).ShouldBeEmpty();
        Plan(replica.Data, "SELECT * FROM orders WHERE customer_id = 5").ShouldNotContain("SCAN");
        Plan(replica.Data, "SELECT * FROM orders ORDER BY id LIMIT 5").ShouldNotContain("TEMP B-TREE");

        // A row that strayed into another shard is a difference, though all rows are there together.
        using (var first = new SqliteDatabase(Path.Combine(replica.Data, "a.1.db"), "a"))
        {
            first.Execute($"ATTACH '{Path.Combine(replica.Data, "b.1.db")}' AS b; INSERT INTO b.customers SELECT * FROM customers LIMIT 1; DELETE FROM customers WHERE id IN (SELECT id FROM b.customers)");
        }
        (await replica.JsonAsync(5, "verify", "--table", "customers")).GetProperty("differences").GetInt64().ShouldBe(2, "it is missing in one place and too much in the other");
    }

    [Fact]
    public async Task A_reader_of_all_shards_never_sees_half_of_a_transaction()
    {
        await using var replica = await SetUpAsync();
        await using var node = await replica.StartAsync();
        using var stop = new CancellationTokenSource();
        var writer = Task.Run(() => TransferAsync(replica.Primary, stop.Token));
        var positions = new HashSet<Lsn>();
        using (var all = Replica.OpenRead(replica.Data))
        {
            using var sum = all.CreateCommand();
            sum.CommandText = "SELECT sum(balance), count(*), (SELECT count(*) FROM orders JOIN customers ON customers.id = customer_id) FROM customers";
            while (positions.Count < 200)
            {
                using (var row = sum.ExecuteReader())
                {
                    row.Read();
                    (row.GetInt64(0), row.GetInt64(1), row.GetInt64(2)).ShouldBe((50_000, 500, 3000));
                }
                positions.Add(Replica.PositionOf(all));
                Replica.Refresh(all);
            }
        }
        await stop.CancelAsync();
        (await writer).ShouldBeGreaterThan(100);
    }

    private async Task<CliReplica> SetUpAsync()
    {
        var replica = await CliReplica.CreateAsync(
            postgres,
            Shop + "ALTER TABLE orders ALTER customer_id SET NOT NULL; CREATE UNIQUE INDEX orders_dbsync ON orders (id, customer_id); ALTER TABLE orders REPLICA IDENTITY USING INDEX orders_dbsync");
        await replica.JsonAsync(0, Three);
        return replica;
    }

    /// <summary>Money goes from customer to customer, and customers with their orders go from shard to shard, each in one transaction.</summary>
    private static async Task<int> TransferAsync(string connectionString, CancellationToken cancellationToken)
    {
        var random = new Random(11);
        await using var connection = new Npgsql.NpgsqlConnection(connectionString);
        await connection.OpenAsync(CancellationToken.None);
        var count = 0;
        for (; !cancellationToken.IsCancellationRequested; count++)
        {
            var (from, to) = (random.Next(1, 501), random.Next(1, 501));
            await using var command = new Npgsql.NpgsqlCommand(
                $"""
                BEGIN; SET CONSTRAINTS ALL DEFERRED;
                UPDATE customers SET balance = balance - 10 WHERE id % 1000 = {from % 1000};
                UPDATE customers SET balance = balance + 10 WHERE id % 1000 = {to % 1000};
                WITH moved AS (UPDATE customers SET id = CASE WHEN id > 1000 THEN id - 1000 ELSE id + 1000 END WHERE id % 1000 = {from % 1000} RETURNING id)
                UPDATE orders SET customer_id = moved.id FROM moved WHERE customer_id % 1000 = {from % 1000};
                COMMIT
                """,
                connection);
            await command.ExecuteNonQueryAsync(CancellationToken.None);
        }
        return count;
    }

    private static string Plan(string directory, string sql)
    {
        using var all = Replica.OpenRead(directory);
        using var command = all.CreateCommand();
        command.CommandText = $"EXPLAIN QUERY PLAN {sql}";
        using var reader = command.ExecuteReader();
        var lines = new List<string>();
        while (reader.Read()) lines.Add(reader.GetString(3));
        return string.Join('\n', lines);
    }

    private static string Code(JsonElement answer) => answer.GetProperty("error").GetProperty("code").GetString()!;

    private static string Rows(JsonElement answer) => JsonSerializer.Serialize(answer.GetProperty("rows"));

}
