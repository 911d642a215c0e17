using DbSync.EntityFrameworkCore.Tests.Shop;
using DbSync.Postgres;
using DbSync.Testing;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.EntityFrameworkCore.Migrations.Design;
using Microsoft.Extensions.DependencyInjection;
using Npgsql.EntityFrameworkCore.PostgreSQL.Design.Internal;

namespace DbSync.EntityFrameworkCore.Tests.Migrating;

/// <summary>What a model says of its tables' replication: from the model to a migration's text, to the primary, to the replica.</summary>
[Trait("Needs", "Server")]
public sealed class SyncPlanTests(ShopFixture shop)
{
    private const string Publications =
        "SELECT string_agg(CASE WHEN tablename IN ('people') THEN tablename || array_to_string(attnames, ',', '') ELSE tablename END, ' ' ORDER BY tablename) FROM pg_publication_tables WHERE schemaname = 'public' AND tablename NOT LIKE '\\_\\_EF%'";

    private const string Nowhere = "Host=nowhere.invalid;Database=none"; // comparing models needs no server

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public void A_plan_becomes_readable_operations_with_their_way_back()
    {
        using var plain = new PlainContext(PlainContext.Options<PlainContext>(Nowhere, Path.GetTempPath()));
        using var planned = PlannedContext.On(Nowhere, Path.GetTempPath());
        var (from, to) = (ModelOf(plain), ModelOf(planned));
        var differ = planned.GetService<IMigrationsModelDiffer>();
        var up = Text(planned, differ.GetDifferences(from, to));
        up.ShouldContain("""migrationBuilder.AlterTable(name:"purchases").Annotation("DbSync:ShardKey",new[]{"customer_id"});""");
        up.ShouldContain("""migrationBuilder.AlterTable(name:"people").Annotation("DbSync:NotReplicated",new[]{"salary"}).Annotation("DbSync:Placement","Reference");""");
        up.ShouldContain("""migrationBuilder.AlterTable(name:"traces").Annotation("DbSync:Placement","NotReplicated");""");
        var down = Text(planned, differ.GetDifferences(to, from));
        down.ShouldContain("""migrationBuilder.AlterTable(name:"purchases").OldAnnotation("DbSync:ShardKey",new[]{"customer_id"});""");
        down.ShouldContain("""migrationBuilder.AlterTable(name:"traces").OldAnnotation("DbSync:Placement","NotReplicated");""");
        differ.HasDifferences(to, to).ShouldBeFalse();
    }

    [Fact]
    public void Without_a_plan_the_files_of_a_migration_are_the_same_with_and_without_the_plug_in()
    {
        using var with = new PlainContext(PlainContext.Options<PlainContext>(Nowhere, Path.GetTempPath()));
        using var without = new PlainContext(PlainContext.Options<PlainContext>(Nowhere, dataPath: null));
        var (one, other) = (Scaffold(with), Scaffold(without));
        one.ShouldBe(other);
        one.ShouldContain("purchases");
        one.ShouldNotContain("DbSync:");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_migration_with_a_plan_changes_what_a_running_replica_holds_and_its_way_back_undoes_it(bool logged)
    {
        await using var node = await NodeUnderTest.CreateAsync(
            await shop.CreateDatabaseAsync(), "CREATE TABLE visits (id int PRIMARY KEY)", "visits", Cancel, shards: 2, ("visits", "id"));
        await node.ExecuteAsync("COMMENT ON PUBLICATION dbsync_main IS 'DbSync: every table that can be published'");
        if (logged) await node.LogSchemaChangesAsync(Cancel);
        node.Run();
        await node.CatchUpAsync();
        await using var db = PlannedContext.On(node.ConnectionString, node.DataPath);
        await MigrateAsync(db, "Start");
        if (!logged) await node.ExecuteAsync("ALTER PUBLICATION dbsync_main ADD TABLE purchases, people, traces");
        await HoldsAsync(node, "purchases", 400, 400);
        await HoldsAsync(node, "traces", 20, 20);

        await MigrateAsync(db, "Plan");
        (await node.ScalarAsync(Publications)).ShouldBe("peopleid,name purchases visits");
        (await node.ScalarAsync("SELECT keys -> 'purchases' ->> 'columns' FROM dbsync.shard_map ORDER BY version DESC LIMIT 1")).ShouldBe("[\"customer_id\"]");
        await Eventually.Async(_ => Task.FromResult((Rows(node, 0, "purchases"), Rows(node, 1, "purchases"))), r => r is ( > 0 and < 400, > 0 and < 400) && r.Item1 + r.Item2 == 400, TimeSpan.FromSeconds(60), cancellationToken: Cancel);
        await HoldsAsync(node, "people", 30, 30);
        await Eventually.Async(_ => Task.FromResult(Names(db).GetRoute().Reason), r => r == RouteReason.Replica, TimeSpan.FromSeconds(60), cancellationToken: Cancel);
        Columns(node, "people").ShouldBe(["id", "name"]);
        (await db.People.AsNoTracking().Select(p => p.Salary).SumAsync(Cancel)).ShouldBe(4650);
        db.People.AsNoTracking().Select(p => p.Salary).GetRoute().Reason.ShouldNotBe(RouteReason.Replica);
        (await db.Traces.AsNoTracking().CountAsync(Cancel)).ShouldBe(20);

        await node.ExecuteAsync("INSERT INTO purchases SELECT g, g % 40 FROM generate_series(401, 500) g; INSERT INTO traces VALUES (99); INSERT INTO people VALUES (31, 'new', 1)");
        await Eventually.Async(_ => Task.FromResult(Rows(node, 0, "purchases") + Rows(node, 1, "purchases")), r => r == 500, TimeSpan.FromSeconds(60), cancellationToken: Cancel);

        await MigrateAsync(db, "Reshape");
        (await node.ScalarAsync(Publications)).ShouldBe("peopleid,city sales visits");
        await Eventually.Async(_ => Task.FromResult(string.Join(',', Columns(node, "people"))), c => c == "id,city", TimeSpan.FromSeconds(60), cancellationToken: Cancel);
        await Eventually.Async(_ => Task.FromResult(Rows(node, 0, "sales") + Rows(node, 1, "sales")), r => r == 500, TimeSpan.FromSeconds(60), cancellationToken: Cancel);
        await node.ExecuteAsync("ALTER TABLE sales RENAME TO purchases; ALTER TABLE people RENAME city TO name; DELETE FROM \"__EFMigrationsHistory\" WHERE \"MigrationId\" LIKE '%Reshape'; SELECT dbsync.apply_choices(), dbsync.schema_changed()");

        await MigrateAsync(db, "Start");
        (await node.ScalarAsync(Publications)).ShouldBe("peopleid,salary,name purchases traces visits");
        (await node.ScalarAsync("SELECT keys ? 'purchases' FROM dbsync.shard_map ORDER BY version DESC LIMIT 1")).ShouldBe(false);
        (await node.ScalarAsync("SELECT count(*) FROM dbsync.table_choice")).ShouldBe(0L);
        await HoldsAsync(node, "purchases", 500, 500);
        await HoldsAsync(node, "traces", 21, 21);
        await Eventually.Async(_ => Task.FromResult(string.Join(',', Columns(node, "people"))), c => c == "id,salary,name", TimeSpan.FromSeconds(60), cancellationToken: Cancel);
    }

    [Fact]
    public async Task A_plan_that_was_migrated_before_init_is_what_init_sets_up()
    {
        var connectionString = await shop.CreateDatabaseAsync();
        await using var db = PlannedContext.On(connectionString, Path.GetTempPath());
        var script = db.GetService<IMigrator>().GenerateScript(toMigration: "Plan", options: MigrationsSqlGenerationOptions.Idempotent);
        for (var twice = 0; twice < 2; twice++) await db.Database.ExecuteSqlRawAsync(script.Replace("{", "{{", StringComparison.Ordinal).Replace("}", "}}", StringComparison.Ordinal), Cancel);
        (await db.Database.GetAppliedMigrationsAsync(Cancel)).Count().ShouldBe(2);

        await using var primary = new Primary(connectionString);
        using var directory = new TemporaryDirectory();
        var request = new SetupRequest
        {
            Replica = "main", DataDirectory = directory.Path, SchemaOnly = true,
            Sharding = ShardingRequest.None with { Shards = [new ShardMember(new ShardId("s0")), new ShardMember(new ShardId("s1"))] },
        };
        var result = await new NodeSetup(primary).RunAsync(request, dryRun: false, Cancel);
        result.Sharding.Layout!.Keys.Keys.ShouldBe(["purchases"]);
        result.Tables.ShouldNotContain("traces");
        (await primary.ScalarAsync<string>($"{Publications} AND pubname = 'dbsync_main'", Cancel)).ShouldBe("peopleid,name purchases");
        (await new NodeSetup(primary).RunAsync(request with { Sharding = ShardingRequest.None }, dryRun: true, Cancel)).Statements.ShouldBe(["SELECT dbsync.apply_choices();"]);
        var named = await Should.ThrowAsync<DbSyncException>(() => new NodeSetup(primary).RunAsync(request with { Tables = ["traces"] }, dryRun: true, Cancel));
        named.Code.ShouldBe(ErrorCodes.InvalidOption);
    }

    private static IQueryable<string> Names(PlannedContext db) => db.People.AsNoTracking().Where(p => p.Id > 3).Select(p => p.Name);

    private static Task MigrateAsync(PlannedContext db, string target) => db.GetService<IMigrator>().MigrateAsync(target, Cancel);

    private static IRelationalModel ModelOf(DbContext db) => db.GetService<IDesignTimeModel>().Model.GetRelationalModel();

    /// <summary>The services that <c>dotnet ef</c> works with.</summary>
    private static ServiceProvider Services(DbContext db)
    {
        var services = new ServiceCollection().AddEntityFrameworkDesignTimeServices().AddDbContextDesignTimeServices(db);
        new NpgsqlDesignTimeServices().ConfigureDesignTimeServices(services);
        return services.BuildServiceProvider();
    }

    /// <summary>The operations as a migration's code, without white space.</summary>
    private static string Text(DbContext db, IReadOnlyList<Microsoft.EntityFrameworkCore.Migrations.Operations.MigrationOperation> operations)
    {
        using var services = Services(db);
        var text = new IndentedStringBuilder();
        services.GetRequiredService<ICSharpMigrationOperationGenerator>().Generate("migrationBuilder", operations, text);
        return string.Concat(text.ToString().Where(c => !char.IsWhiteSpace(c)));
    }

    private static string Scaffold(DbContext db)
    {
        using var services = Services(db);
        var generator = services.GetRequiredService<IMigrationsCodeGeneratorSelector>().Select("C#");
        var model = db.GetService<IDesignTimeModel>().Model;
        var differ = db.GetService<IMigrationsModelDiffer>();
        return generator.GenerateMigration("App", "First", differ.GetDifferences(null, model.GetRelationalModel()), differ.GetDifferences(model.GetRelationalModel(), null))
            + generator.GenerateMetadata("App", typeof(PlainContext), "First", "1_First", model) + generator.GenerateSnapshot("App", typeof(PlainContext), "Snapshot", model);
    }

    private static Task HoldsAsync(NodeUnderTest node, string table, int first, int second) => Eventually.Async(
        _ => Task.FromResult((Rows(node, 0, table), Rows(node, 1, table))), r => r == (first, second), TimeSpan.FromSeconds(60), cancellationToken: Cancel);

    private static int Rows(NodeUnderTest node, int shard, string table) =>
        Columns(node, table, shard).Count == 0 ? 0 : Convert.ToInt32(Read(node, shard, $"SELECT count(*) FROM \"{table}\"")[0], System.Globalization.CultureInfo.InvariantCulture);

    private static List<string> Columns(NodeUnderTest node, string table, int shard = 0) => [.. Read(node, shard, $"SELECT name FROM pragma_table_info('{table}') ORDER BY cid").Select(c => (string)c)];

    private static List<object> Read(NodeUnderTest node, int shard, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(node.DataPath, NodeFile.FileNameOf($"s{shard}", 1))};Mode=ReadOnly;Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        using var reader = command.ExecuteReader();
        var values = new List<object>();
        while (reader.Read()) values.Add(reader.GetValue(0));
        return values;
    }
}
