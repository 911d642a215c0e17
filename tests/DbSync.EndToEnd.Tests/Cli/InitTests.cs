using DbSync.Testing;

namespace DbSync.EndToEnd.Tests.Cli;

[Trait("Needs", "Server")]
public sealed class InitTests(PostgresFixture postgres)
{
    private const string Shop =
        """
        CREATE TABLE customers (id bigint PRIMARY KEY, name text);
        CREATE SCHEMA sales;
        CREATE TABLE sales.orders (id uuid PRIMARY KEY, customer bigint);
        CREATE TABLE keyless (a int, b text);
        CREATE TABLE coded (code text NOT NULL, b text);
        CREATE UNIQUE INDEX coded_code ON coded (code);
        CREATE UNLOGGED TABLE cache (id int PRIMARY KEY);
        """;

    [Fact]
    public async Task Init_is_idempotent_and_leaves_out_what_can_not_be_published()
    {
        await using var replica = await CliReplica.CreateAsync(postgres, Shop);

        var first = await replica.JsonAsync(0, "init");
        var again = await replica.JsonAsync(0, "init");

        first.GetProperty("changed").GetBoolean().ShouldBeTrue();
        again.GetProperty("changed").GetBoolean().ShouldBeFalse();
        again.GetProperty("node").GetString().ShouldBe(first.GetProperty("node").GetString());
        again.GetProperty("tables").EnumerateArray().Select(t => t.GetString()).ShouldBe(["customers", "sales.orders"]);
        again.GetProperty("refused").EnumerateArray().Select(r => r.GetProperty("table").GetString()).ShouldBe(["cache", "coded", "keyless"]);
        (await replica.ScalarAsync<long>("SELECT count(*) FROM pg_replication_slots WHERE database = current_database()")).ShouldBe(1);
        (await replica.ScalarAsync<bool>("SELECT bool_or(puballtables) FROM pg_publication")).ShouldBeFalse();
        await replica.ExecuteAsync("INSERT INTO keyless VALUES (1, 'x'); UPDATE keyless SET b = 'y'; DELETE FROM keyless"); // not published: they go through
    }

    [Fact]
    public async Task Each_printed_statement_mends_its_table_and_the_next_init_takes_it()
    {
        await using var replica = await CliReplica.CreateAsync(postgres, Shop);
        var first = await replica.JsonAsync(0, "init");
        foreach (var refusal in first.GetProperty("refused").EnumerateArray()) await replica.ExecuteAsync(refusal.GetProperty("fix").GetString()!);

        var second = await replica.JsonAsync(0, "init");

        second.GetProperty("refused").GetArrayLength().ShouldBe(0);
        second.GetProperty("tables").EnumerateArray().Select(t => t.GetString()).ShouldBe(["cache", "coded", "customers", "keyless", "sales.orders"]);
        await replica.ExecuteAsync("INSERT INTO keyless VALUES (1, 'x'); UPDATE keyless SET b = 'y'; DELETE FROM keyless; INSERT INTO coded VALUES ('x'); UPDATE coded SET b = 'y'");
    }

    [Fact]
    public async Task A_named_table_that_can_not_be_published_exits_3_and_changes_nothing()
    {
        await using var replica = await CliReplica.CreateAsync(postgres, Shop);

        var error = (await replica.JsonAsync(3, "init", "--tables", "customers,keyless")).GetProperty("error");

        error.GetProperty("code").GetString().ShouldBe(ErrorCodes.TableWithoutIdentity);
        error.GetProperty("fix").GetString().ShouldBe("ALTER TABLE \"public\".\"keyless\" REPLICA IDENTITY FULL;");
        (await LeftBehindAsync(replica)).ShouldBe(0);
    }

    [Fact]
    public async Task Chosen_tables_stay_the_chosen_ones_at_the_next_init()
    {
        await using var replica = await CliReplica.CreateAsync(postgres, Shop);
        await replica.JsonAsync(0, "init", "--tables", "customers");

        var again = await replica.JsonAsync(0, "init");

        again.GetProperty("changed").GetBoolean().ShouldBeFalse();
        again.GetProperty("tables").EnumerateArray().Select(t => t.GetString()).ShouldBe(["customers"]);
    }

    [Fact]
    public async Task Dry_run_prints_the_SQL_and_changes_nothing()
    {
        await using var replica = await CliReplica.CreateAsync(postgres, Shop);

        var result = await replica.RunAsync("init", "--dry-run");

        result.ExitCode.ShouldBe(0, result.StandardError);
        result.StandardOutput.ShouldContain("CREATE PUBLICATION \"dbsync_main\"");
        result.StandardOutput.ShouldContain("pg_create_logical_replication_slot");
        (await LeftBehindAsync(replica)).ShouldBe(0);
        Directory.Exists(replica.Data).ShouldBeFalse();
    }

    [Fact]
    public async Task What_dry_run_prints_can_be_run_by_hand_and_init_then_goes_on_from_there()
    {
        await using var replica = await CliReplica.CreateAsync(postgres, Shop);
        var printed = await replica.RunAsync("init", "--schema-only", "--dry-run");
        await replica.ExecuteAsync(printed.StandardOutput);

        var init = await replica.JsonAsync(0, "init");

        init.GetProperty("statements").GetArrayLength().ShouldBe(2); // its row and its slot
    }

    [Fact]
    public async Task A_node_of_another_directory_is_not_taken_without_being_told()
    {
        await using var replica = await CliReplica.CreateAsync(postgres, Shop);
        await replica.JsonAsync(0, "init", "--node", "one");
        Directory.Delete(replica.Data, recursive: true);

        var error = (await replica.JsonAsync(3, "init", "--node", "one")).GetProperty("error");
        error.GetProperty("code").GetString().ShouldBe(ErrorCodes.NodeExists);
        await replica.JsonAsync(0, "init", "--node", "one", "--take-over");

        (await replica.ScalarAsync<long>("SELECT count(*) FROM pg_replication_slots WHERE database = current_database()")).ShouldBe(1);
    }

    [Fact]
    public async Task A_data_directory_that_can_not_be_made_is_said_so()
    {
        await using var replica = await CliReplica.CreateAsync(postgres, Shop);

        var error = (await replica.JsonAsync(1, "init", "--data", "/proc/dbsync")).GetProperty("error");

        error.GetProperty("code").GetString().ShouldBe(ErrorCodes.StorageFailed);
        error.GetProperty("message").GetString()!.ShouldContain("/proc/dbsync");
        (await LeftBehindAsync(replica)).ShouldBe(0);
    }

    [Fact]
    public async Task Doctor_says_what_of_a_partitioned_table_is_not_followed()
    {
        await using var replica = await CliReplica.CreateAsync(
            postgres, "CREATE TABLE events (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at); CREATE TABLE events_1 PARTITION OF events DEFAULT");
        await replica.JsonAsync(0, "init");

        var check = (await replica.JsonAsync(3, "doctor")).GetProperty("checks").EnumerateArray().Single(c => c.GetProperty("code").GetString() == CheckCodes.Partitions);

        check.GetProperty("state").GetString().ShouldBe("warn");
        check.GetProperty("detail").GetString()!.ShouldContain("events");
    }

    private static Task<long> LeftBehindAsync(CliReplica replica) => replica.ScalarAsync<long>(
        """
        SELECT (SELECT count(*) FROM pg_replication_slots WHERE database = current_database())
            + (SELECT count(*) FROM pg_publication)
            + (SELECT count(*) FROM pg_namespace WHERE nspname = 'dbsync')
            + (SELECT count(*) FROM pg_event_trigger)
        """);
}
