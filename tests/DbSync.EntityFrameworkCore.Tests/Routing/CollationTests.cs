using DbSync.EntityFrameworkCore.Tests.Shop;
using DbSync.Testing;
using Microsoft.EntityFrameworkCore;

namespace DbSync.EntityFrameworkCore.Tests.Routing;

/// <summary>Text that the primary sorts by a language: equality is the replica's, order the primary's, whatever .NET type the text is mapped to.</summary>
[Trait("Needs", "Server")]
public sealed class CollationTests(ShopFixture shop)
{
    [Fact]
    public async Task The_order_of_a_language_is_the_primarys()
    {
        await using var node = await NodeUnderTest.CreateAsync(
            await shop.CreateDatabaseAsync(),
            """
            CREATE TABLE words (id int PRIMARY KEY, word text COLLATE "und-x-icu" NOT NULL, level text COLLATE "und-x-icu" NOT NULL);
            INSERT INTO words VALUES (1, 'b', 'Gold'), (2, 'B', 'Silver'), (3, 'a', 'Bronze');
            """,
            "words",
            TestContext.Current.CancellationToken);
        node.Run();
        await node.CatchUpAsync();
        await using var db = new WordContext(new DbContextOptionsBuilder<WordContext>().OfManyKinds().UseNpgsql(node.ConnectionString)
            .UseDbSync(node.DataPath, o => o.WaitUpTo(TimeSpan.FromSeconds(30))).Options);

        db.Words.Where(w => w.Text == "b").GetRoute().Reason.ShouldBe(RouteReason.Replica);
        db.Words.OrderBy(w => w.Id).GetRoute().Reason.ShouldBe(RouteReason.Replica);
        foreach (var ordered in new[]
        {
            db.Words.OrderBy(w => w.Text), db.Words.OrderBy(w => w.Level), db.Words.Where(w => string.Compare(w.Text, "b") > 0), db.Words.Where(w => w.Level > Level.Bronze),
            db.Words.OrderBy(w => w.Text + "x"), db.Words.Where(w => w.Text == db.Words.Max(x => x.Text)), db.Words.Where(w => w.Id < 9).Take(5).OrderByDescending(w => w.Text),
        })
            ordered.GetRoute().Reason.ShouldBe(RouteReason.TextOrder);
        db.Words.OrderBy(w => w.Text).ThenBy(w => w.Id).Select(w => w.Id).ToList().ShouldBe([3, 1, 2]);
    }

    private sealed class WordContext(DbContextOptions<WordContext> options) : DbContext(options)
    {
        public IQueryable<Word> Words => Set<Word>().AsNoTracking();

        protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.Entity<Word>(b =>
        {
            b.ToTable("words");
            b.Property(w => w.Id).HasColumnName("id");
            b.Property(w => w.Text).HasColumnName("word");
            b.Property(w => w.Level).HasColumnName("level").HasConversion<string>();
        });
    }

    private sealed class Word
    {
        public int Id { get; set; }

        public required string Text { get; set; }

        public Level Level { get; set; }
    }
}
