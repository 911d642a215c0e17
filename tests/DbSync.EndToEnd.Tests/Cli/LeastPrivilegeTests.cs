using DbSync.Testing;

namespace DbSync.EndToEnd.Tests.Cli;

[Trait("Needs", "Server")]
public sealed class LeastPrivilegeTests(PostgresFixture postgres)
{
    [Fact]
    public async Task An_owner_and_a_replicator_without_superuser_need_exactly_the_documented_grants()
    {
        await using var replica = await CliReplica.CreateAsync(
            postgres, "CREATE SCHEMA sales; CREATE TABLE sales.orders (id int PRIMARY KEY, note text); INSERT INTO sales.orders VALUES (1, 'one')");
        var (owner, replicator) = ($"{replica.Database}_owner", $"{replica.Database}_replicator");
        await replica.ExecuteAsync(
            $"""
            CREATE ROLE {owner} LOGIN; CREATE ROLE {replicator} LOGIN REPLICATION;
            ALTER SCHEMA sales OWNER TO {owner}; ALTER TABLE sales.orders OWNER TO {owner};
            """);

        replica.Primary = replica.ConnectionStringFor(owner);
        (await replica.JsonAsync(3, "init", "--schema-only")).GetProperty("error").GetProperty("fix").GetString()!.ShouldStartWith("GRANT CREATE ON DATABASE");
        await replica.ExecuteAsync($"GRANT CREATE ON DATABASE {replica.Database} TO {owner}");
        await replica.JsonAsync(0, "init", "--schema-only", "--grant-to", replicator);
        (await replica.JsonAsync(3, "init")).GetProperty("error").GetProperty("fix").GetString()!.ShouldContain("REPLICATION");

        await replica.ExecuteAsync("CREATE TABLE sales.later (id int PRIMARY KEY)"); // somebody else's: no reason to fail

        replica.Primary = replica.ConnectionStringFor(replicator);
        var init = await replica.JsonAsync(0, "init");
        init.GetProperty("refused")[0].GetProperty("fix").GetString().ShouldBe("ALTER PUBLICATION \"dbsync_main\" ADD TABLE \"sales\".\"later\";");
        await using (await replica.StartAsync())
        {
            await AddWithoutRightAsync(replica, replicator);
            await replica.ExecuteAsync("INSERT INTO sales.orders VALUES (2, 'two')");
            (await replica.JsonAsync(0, "verify")).GetProperty("tables")[0].GetProperty("rowsReplica").GetInt64().ShouldBe(2);
            await Eventually.Async(async _ => (await replica.JsonAsync(0, "status")).GetProperty("state").GetString() == "streaming", cancellationToken: TestContext.Current.CancellationToken);
        }
        var doctor = await replica.JsonAsync(3, "doctor"); // the shared server keeps log without a limit
        doctor.GetProperty("checks").EnumerateArray().Where(c => c.GetProperty("state").GetString() == "fail").Select(c => c.GetProperty("code").GetString())
            .ShouldBe([CheckCodes.SlotRetention]);
        await replica.ExecuteAsync($"REVOKE SELECT ON sales.orders FROM {replicator}");
        var unreadable = (await replica.JsonAsync(3, "doctor")).GetProperty("checks").EnumerateArray()
            .First(c => c.GetProperty("code").GetString() == CheckCodes.SelectRight);
        unreadable.GetProperty("fix").GetString()!.ShouldContain("GRANT SELECT ON \"sales\".\"orders\"");

        // Neither of the two may drop everything: each drops its part, and says whose the rest is.
        var left = (await replica.JsonAsync(3, "uninstall", "--yes")).GetProperty("error");
        left.GetProperty("code").GetString().ShouldBe(ErrorCodes.MissingPrivilege);
        left.GetProperty("fix").GetString()!.ShouldContain($"as {owner}: DROP PUBLICATION");
        (await replica.ScalarAsync<long>("SELECT count(*) FROM pg_replication_slots WHERE database = current_database()")).ShouldBe(0);
        replica.Primary = replica.ConnectionStringFor(owner);
        await replica.JsonAsync(0, "uninstall", "--yes");
        (await replica.ScalarAsync<long>("SELECT (SELECT count(*) FROM pg_publication) + (SELECT count(*) FROM pg_namespace WHERE nspname = 'dbsync')")).ShouldBe(0);
        await replica.ExecuteAsync($"DROP OWNED BY {owner}, {replicator} CASCADE; DROP ROLE {owner}, {replicator}");
    }
    /// <summary>A table that the node may not read waits for its GRANT, and keeps nothing else waiting.</summary>
    private static async Task AddWithoutRightAsync(CliReplica replica, string replicator)
    {
        await replica.ExecuteAsync("INSERT INTO sales.later VALUES (1); ALTER PUBLICATION dbsync_main ADD TABLE sales.later");
        var status = await Eventually.Async(
            async _ => await replica.JsonAsync(0, "status"), s => s.GetProperty("errorCode").GetString() == ErrorCodes.MissingPrivilege,
            cancellationToken: TestContext.Current.CancellationToken);
        status.GetProperty("state").GetString().ShouldBe("copying");
        await replica.ExecuteAsync("INSERT INTO sales.orders VALUES (3, 'three')");
        await Eventually.Async(
            async _ => (await replica.JsonAsync(0, "sql", "SELECT count(*) FROM \"sales.orders\"")).GetProperty("rows")[0][0].GetInt64() == 2,
            cancellationToken: TestContext.Current.CancellationToken);
        await replica.ExecuteAsync($"GRANT SELECT ON sales.later TO {replicator}");
        await Eventually.Async(
            async _ => (await replica.JsonAsync(0, "status")).GetProperty("tables").EnumerateArray().All(t => t.GetProperty("state").GetString() == "live"),
            cancellationToken: TestContext.Current.CancellationToken);
        await replica.ExecuteAsync("ALTER PUBLICATION dbsync_main DROP TABLE sales.later; DELETE FROM sales.orders WHERE id = 3");
        await Eventually.Async(
            async _ => (await replica.JsonAsync(0, "status")).GetProperty("tables").GetArrayLength() == 1, cancellationToken: TestContext.Current.CancellationToken);
    }
}
