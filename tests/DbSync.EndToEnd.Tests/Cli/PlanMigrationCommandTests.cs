using System.Text.Json;
using DbSync.EndToEnd.Tests.Schema;
using DbSync.Testing;

namespace DbSync.EndToEnd.Tests.Cli;

[Trait("Needs", "Server")]
public sealed class PlanMigrationCommandTests(PostgresFixture postgres)
{
    private const string Shop =
        """
        CREATE TABLE customers (id bigint PRIMARY KEY, name text); INSERT INTO customers SELECT g, 'c' || g FROM generate_series(1, 20000) g; ANALYZE customers;
        CREATE TABLE "__EFMigrationsHistory" ("MigrationId" varchar(150) PRIMARY KEY, "ProductVersion" varchar(32) NOT NULL);
        INSERT INTO "__EFMigrationsHistory" VALUES ('1_First', '10.0.0');
        """;

    /// <summary>As <c>dotnet ef migrations script --idempotent</c> prints it: the first would fail if it ran again.</summary>
    private const string Idempotent =
        """
        Build started...
        Build succeeded.
        START TRANSACTION;
        DO $EF$
        BEGIN
            IF NOT EXISTS(SELECT 1 FROM "__EFMigrationsHistory" WHERE "MigrationId" = '1_First') THEN
            CREATE TABLE customers (id bigint PRIMARY KEY);
            END IF;
        END $EF$;
        DO $EF$
        BEGIN
            IF NOT EXISTS(SELECT 1 FROM "__EFMigrationsHistory" WHERE "MigrationId" = '2_Token') THEN
            ALTER TABLE customers ADD token uuid NOT NULL DEFAULT (gen_random_uuid());
            END IF;
        END $EF$;
        COMMIT;
        """;

    [Fact]
    public async Task A_script_of_migrations_is_planned_with_the_rate_that_was_measured_here()
    {
        await using var replica = await ReadyAsync();
        var script = await WriteAsync(replica, Idempotent);

        var assumed = await replica.JsonAsync(0, "plan-migration", script);
        assumed.GetProperty("measured").GetBoolean().ShouldBeFalse();
        var table = assumed.GetProperty("tables").EnumerateArray().Single();
        (table.GetProperty("table").GetString(), table.GetProperty("work").GetString(), table.GetProperty("rows").GetInt64()).ShouldBe(("customers", "copy", 20000));
        table.GetProperty("seconds").GetDouble().ShouldBe(20000 / assumed.GetProperty("rowsPerSecond").GetDouble(), 0.001);

        await using (await replica.StartAsync())
            await Eventually.Async(async _ => (await replica.JsonAsync(0, "plan-migration", script)).GetProperty("measured").GetBoolean(), TimeSpan.FromSeconds(60), cancellationToken: TestContext.Current.CancellationToken);
        (await replica.JsonAsync(0, "plan-migration", script)).GetProperty("measured").GetBoolean().ShouldBeTrue("the rate outlives the process");
    }

    [Fact]
    public async Task What_can_not_be_followed_or_planned_has_its_exit_code()
    {
        await using var replica = await ReadyAsync();
        var script = await WriteAsync(replica, "ALTER TABLE customers DROP CONSTRAINT customers_pkey");
        var plan = await replica.JsonAsync(5, "plan-migration", script);
        plan.GetProperty("followed").GetBoolean().ShouldBeFalse();
        plan.GetProperty("tables")[0].GetProperty("work").GetString().ShouldBe("notFollowed");
        (await replica.RunAsync("plan-migration", script)).StandardOutput.ShouldContain("NOT FOLLOWED");

        await WriteAsync(replica, "ALTER TABLE nowhere ADD c int");
        Code(await replica.JsonAsync(3, "plan-migration", script)).ShouldBe(ErrorCodes.MigrationNotPlanned);
        Code(await replica.JsonAsync(2, "plan-migration", script + ".missing")).ShouldBe(ErrorCodes.InvalidOption);
    }

    private async Task<CliReplica> ReadyAsync()
    {
        PlanMigrationTests.SkipWithoutClients();
        var replica = await CliReplica.CreateAsync(postgres, Shop);
        await replica.JsonAsync(0, "init");
        return replica;
    }

    private static async Task<string> WriteAsync(CliReplica replica, string sql)
    {
        var script = Path.Combine(replica.Data, "script.sql");
        await File.WriteAllTextAsync(script, sql, TestContext.Current.CancellationToken);
        return script;
    }

    private static string? Code(JsonElement answer) => answer.GetProperty("error").GetProperty("code").GetString();
}
