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
            await replica.ExecuteAsync("INSERT INTO sales.orders VALUES (2, 'two')");
            (await replica.JsonAsync(0, "verify")).GetProperty("tables")[0].GetProperty("rowsReplica").GetInt64().ShouldBe(2);
            (await replica.JsonAsync(0, "status")).GetProperty("state").GetString().ShouldBe("streaming");
        }
        var doctor = await replica.JsonAsync(3, "doctor"); // the shared server keeps log without a limit
        doctor.GetProperty("checks").EnumerateArray().Where(c => c.GetProperty("state").GetString() == "fail").Select(c => c.GetProperty("code").GetString())
            .ShouldBe([CheckCodes.SlotRetention]);
        await replica.ExecuteAsync($"REVOKE SELECT ON sales.orders FROM {replicator}");
        var unreadable = (await replica.JsonAsync(3, "doctor")).GetProperty("checks").EnumerateArray()
            .First(c => c.GetProperty("code").GetString() == CheckCodes.SelectRight);
        unreadable.GetProperty("fix").GetString()!.ShouldContain("GRANT SELECT ON \"sales\".\"orders\"");

        await replica.ExecuteAsync($"ALTER ROLE {owner} REPLICATION");
        replica.Primary = replica.ConnectionStringFor(owner);
        await replica.JsonAsync(0, "uninstall", "--yes");
        await replica.ExecuteAsync($"DROP OWNED BY {owner}, {replicator} CASCADE; DROP ROLE {owner}, {replicator}");
    }
}
