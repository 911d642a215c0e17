using DbSync.EntityFrameworkCore.Tests.Plugging;
using DbSync.Testing;
using Microsoft.EntityFrameworkCore;

namespace DbSync.EntityFrameworkCore.Tests.Reporting;

[Trait("Needs", "Server")]
public sealed class DbSyncTestingTests(Library library)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_report_lists_what_a_replica_can_not_answer_whether_there_is_one_or_not(bool there)
    {
        var node = await library.GetAsync();
        using var empty = new TemporaryDirectory();
        await using var db = new LibraryContext(new DbContextOptionsBuilder<LibraryContext>().OfManyKinds().UseNpgsql(node.ConnectionString).UseSnakeCaseNamingConvention()
            .UseDbSync(there ? node.DataPath : empty.Path, o => o.WaitUpTo(TimeSpan.FromSeconds(30))).Options);
        var report = await DbSyncTesting.ReportAsync(async () =>
        {
            for (var id = 1; id < 4; id++) await db.Books.AsNoTracking().Where(b => b.Id == id && b.Title != "secret").ToListAsync(Cancel);
            await db.Books.AsNoTracking().Select(b => Math.Round(b.Id / 3.0)).ToListAsync(Cancel);
            await db.Authors.FirstAsync(Cancel);
            await db.Books.Where(b => b.Id == 999).ExecuteDeleteAsync(Cancel);
            await db.Books.AsNoTracking().CountAsync(Cancel);
        });
        report.Queries.Count.ShouldBe(5);
        report.NotRouted.Select(q => q.Reason).ShouldBe([RouteReason.NotAlike, RouteReason.Tracking, RouteReason.Statement], ignoreOrder: true);
        report.Queries.ShouldAllBe(q => !q.Shape.Contains("secret", StringComparison.Ordinal));
        report.ToString().ShouldContain("Round() is not known to be alike");
        await db.Books.AsNoTracking().MaxAsync(b => b.Id, Cancel);
        report.Queries.Count.ShouldBe(5);
    }

    [Fact]
    public async Task A_report_on_a_context_lists_its_queries_and_no_others()
    {
        var node = await library.GetAsync();
        await using var db = new LibraryContext(Library.Plug(new DbContextOptionsBuilder<LibraryContext>(), node, o => o.ThrowOnFallback(false)).Options);
        await using var another = new LibraryContext(Library.Plug(new DbContextOptionsBuilder<LibraryContext>(), node, o => o.ThrowOnFallback(false)).Options);
        var report = await DbSyncTesting.ReportAsync(db, async own =>
        {
            own.ShouldBeSameAs(db);
            await own.Authors.FirstAsync(Cancel);
            await own.Books.AsNoTracking().CountAsync(Cancel);
            await another.Books.AsNoTracking().MaxAsync(b => b.Id, Cancel);
        });
        report.Queries.Select(q => q.Reason).ShouldBe([RouteReason.Tracking, RouteReason.Replica], ignoreOrder: true);

        await using var plain = new LibraryContext(new DbContextOptionsBuilder<LibraryContext>().OfManyKinds().UseNpgsql(node.ConnectionString).Options);
        (await Should.ThrowAsync<DbSyncException>(() => DbSyncTesting.ReportAsync(plain, _ => Task.CompletedTask))).Code.ShouldBe(ErrorCodes.CannotPlugIn);
    }
}
