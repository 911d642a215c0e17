using DbSync.EntityFrameworkCore.Tests.Shop;
using DbSync.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Migrations;

namespace DbSync.EntityFrameworkCore.Tests.Migrating;

/// <summary>EF Core migrations with the plug-in: one set of them, and replicas that follow.</summary>
[Trait("Needs", "Server")]
public sealed class MigrationTests(ShopFixture shop)
{
    private const string Schema = "CREATE TABLE first (id int PRIMARY KEY)";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>The same compiled query, in the same process: it moves to the primary while the replica's shape does not fit, and back.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_query_goes_to_the_primary_while_its_column_is_not_here_and_comes_back(bool logged)
    {
        await using var node = await NodeUnderTest.CreateAsync(await shop.CreateDatabaseAsync(), Schema, "first", Cancel);
        await node.ExecuteAsync("COMMENT ON PUBLICATION dbsync_main IS 'DbSync: every table that can be published'");
        if (logged) await node.LogSchemaChangesAsync(Cancel);
        node.Run();
        await node.CatchUpAsync();
        await using var db = NoteContext.On(node);
        await db.GetService<IMigrator>().MigrateAsync("Rename", Cancel);
        if (!logged) await node.ExecuteAsync("ALTER PUBLICATION dbsync_main ADD TABLE notes");
        await Eventually.Async(_ => Task.FromResult(Headlines(db).GetRoute().Reason), r => r == RouteReason.Replica, cancellationToken: Cancel);

        await node.StopAsync();
        await db.GetService<IMigrator>().MigrateAsync("Rank", Cancel);
        db.SetReadConsistency(ReadConsistency.Eventual);
        (await Ranks(db).ToListAsync(Cancel)).ShouldAllBe(r => r == 4);
        Ranks(db).GetRoute().Reason.ShouldBe(RouteReason.NotReplicated);
        Headlines(db).GetRoute().Reason.ShouldBe(RouteReason.Replica, "what does not need the column goes on as before");

        node.Run();
        await Eventually.Async(_ => Task.FromResult(Ranks(db).GetRoute().Reason), r => r == RouteReason.Replica, cancellationToken: Cancel);
        (await Ranks(db).ToListAsync(Cancel)).ShouldAllBe(r => r == 4);
        (await node.ScalarAsync("SELECT count(*) FROM dbsync.schema_log WHERE command = 'schema_changed'")).ShouldNotBe(logged ? -1L : 0L, "each migration says that it was");
    }

    [Fact]
    public async Task Every_way_to_migrate_works_and_needs_no_control_schema()
    {
        var bare = await shop.CreateDatabaseAsync();
        await using var db = NoteContext.On(bare, dataPath: Path.GetTempPath());
        db.Database.Migrate();
        (await db.Database.GetAppliedMigrationsAsync(Cancel)).Count().ShouldBe(3);
        var script = db.GetService<IMigrator>().GenerateScript(options: MigrationsSqlGenerationOptions.Idempotent);
        script.ShouldContain("dbsync.schema_changed()");
        for (var twice = 0; twice < 2; twice++) await db.Database.ExecuteSqlRawAsync(script.Replace("{", "{{", StringComparison.Ordinal).Replace("}", "}}", StringComparison.Ordinal), Cancel);

        var other = await shop.CreateDatabaseAsync();
        await using var fresh = NoteContext.On(other, dataPath: Path.GetTempPath());
        await fresh.Database.ExecuteSqlRawAsync(script.Replace("{", "{{", StringComparison.Ordinal).Replace("}", "}}", StringComparison.Ordinal), Cancel);
        (await fresh.Database.GetAppliedMigrationsAsync(Cancel)).Count().ShouldBe(3);
    }

    [Fact]
    public async Task The_plug_in_changes_nothing_about_what_a_migration_holds()
    {
        var connectionString = await shop.CreateDatabaseAsync();
        await using var with = NoteContext.On(connectionString, Path.GetTempPath());
        await using var without = NoteContext.On(connectionString, dataPath: null);
        with.Database.GenerateCreateScript().ShouldBe(without.Database.GenerateCreateScript());
        Operations(with).ShouldBe(Operations(without));
    }

    private static List<string> Operations(DbContext db) =>
        [.. db.GetService<IMigrationsModelDiffer>().GetDifferences(null, db.GetService<IDesignTimeModel>().Model.GetRelationalModel()).Select(o => $"{o.GetType().Name} {string.Join(',', o.GetAnnotations().Select(a => a.Name))}")];

    private static IQueryable<string?> Headlines(NoteContext db) => db.Notes.AsNoTracking().Where(n => n.Id > 10).Select(n => n.Headline);

    private static IQueryable<int> Ranks(NoteContext db) => db.Notes.AsNoTracking().Where(n => n.Id > 10).Select(n => n.Rank);
}
