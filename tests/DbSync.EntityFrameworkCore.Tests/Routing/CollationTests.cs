using DbSync.EntityFrameworkCore.Tests.Shop;
using DbSync.Testing;
using Microsoft.EntityFrameworkCore;
using Npgsql;

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
            CREATE TABLE words (id int PRIMARY KEY, word text COLLATE "und-x-icu" NOT NULL, level text COLLATE "und-x-icu" NOT NULL, short varchar(9), padded char(5));
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

    [Fact]
    public async Task In_a_database_of_a_language_order_and_case_are_the_primarys_and_equality_the_replicas()
    {
        var other = await CreateAsync(await shop.CreateDatabaseAsync(), TestContext.Current.CancellationToken);
        await using var node = await NodeUnderTest.CreateAsync(
            other,
            """
            CREATE TABLE words (id int PRIMARY KEY, word text NOT NULL, level text NOT NULL, short varchar(9), padded char(5));
            INSERT INTO words SELECT i, w, (ARRAY['Gold', 'Silver', 'Bronze'])[1 + i % 3], nullif(upper(w), 'B'), w
                FROM unnest(ARRAY['b', 'B', 'a', 'é', 'e', 'E', 'a b', 'a-b', 'ab', 'ß', '', '_', '%', 'Z', 'z', 'é']) WITH ORDINALITY AS x (w, i);
            """,
            "words",
            TestContext.Current.CancellationToken);
        node.Run();
        await node.CatchUpAsync();
        var options = new DbContextOptionsBuilder<WordContext>().OfManyKinds().UseNpgsql(node.ConnectionString);
        await using var plain = new WordContext(options.Options);
        await using var db = new WordContext(options.UseDbSync(node.DataPath, o => o.WaitUpTo(TimeSpan.FromSeconds(30))).Options);

        foreach (var (query, expected) in new (Func<IQueryable<Word>, IQueryable<object?>> Query, RouteReason Expected)[]
        {
            (w => w.OrderBy(x => x.Id), RouteReason.Replica),
            (w => w.Where(x => x.Text == "b").OrderBy(x => x.Id), RouteReason.Replica),
            (w => w.Where(x => x.Text != "é" && x.Short != "B").OrderBy(x => x.Id), RouteReason.Replica),
            (w => w.Where(x => x.Padded == "b  ").OrderBy(x => x.Id), RouteReason.Replica),
            (w => w.Where(x => x.Text.StartsWith("a")).OrderBy(x => x.Id), RouteReason.Replica),
            (w => w.Where(x => EF.Functions.Like(x.Text, "_")).OrderBy(x => x.Id), RouteReason.Replica),
            (w => w.Where(x => x.Text.Contains("B")).OrderBy(x => x.Id), RouteReason.Replica),
            (w => w.GroupBy(x => x.Text).Where(g => g.Count() > 1).Select(g => g.Key), RouteReason.Replica),
            (w => w.GroupBy(x => x.Level).Select(g => new { g.Key, n = g.Count() }).OrderBy(g => g.n).ThenBy(g => g.Key), RouteReason.TextOrder),
            (w => w.Select(x => x.Text.Length).OrderBy(n => n).Select(n => (object)n), RouteReason.Replica),
            (w => w.OrderBy(x => x.Text).ThenBy(x => x.Id), RouteReason.TextOrder),
            (w => w.OrderByDescending(x => x.Short).ThenBy(x => x.Id), RouteReason.TextOrder),
            (w => w.OrderBy(x => x.Padded).ThenBy(x => x.Id), RouteReason.TextOrder),
            (w => w.OrderBy(x => x.Level).ThenBy(x => x.Id), RouteReason.TextOrder),
            (w => w.Where(x => string.Compare(x.Text, "b") < 0).OrderBy(x => x.Id), RouteReason.TextOrder),
            (w => w.Where(x => x.Text.CompareTo(x.Short) > 0).OrderBy(x => x.Id), RouteReason.TextOrder),
            (w => w.GroupBy(x => x.Level).Select(g => g.Min(x => x.Text)), RouteReason.TextOrder),
            (w => w.Select(x => new { x.Id, Last = w.Max(y => y.Short) }).OrderBy(x => x.Id), RouteReason.TextOrder),
            (w => w.OrderBy(x => x.Text.Substring(1)).ThenBy(x => x.Id), RouteReason.TextOrder),
            (w => w.Where(x => x.Text.ToLower() == "é").OrderBy(x => x.Id), RouteReason.NotAlike),
            (w => w.Select(x => x.Text.ToUpper()), RouteReason.NotAlike),
            (w => w.Select(x => x.Text).Distinct().OrderBy(x => x), RouteReason.TextOrder),
        })
        {
            query(db.Words).GetRoute().Reason.ShouldBe(expected, query(plain.Words).ToQueryString());
            query(db.Words).AsEnumerable().Select(Parity.Answers.Json).Order(StringComparer.Ordinal)
                .ShouldBe(query(plain.Words).AsEnumerable().Select(Parity.Answers.Json).Order(StringComparer.Ordinal));
            if (expected == RouteReason.Replica || query(plain.Words).Expression.ToString().Contains("ThenBy", StringComparison.Ordinal))
                query(db.Words).AsEnumerable().Select(Parity.Answers.Json).ShouldBe(query(plain.Words).AsEnumerable().Select(Parity.Answers.Json));
        }
    }

    /// <summary>A database beside another whose language is ICU's American English.</summary>
    private static async Task<string> CreateAsync(string beside, CancellationToken cancellationToken)
    {
        var name = new NpgsqlConnectionStringBuilder(beside);
        await using var connection = new NpgsqlConnection(beside);
        await connection.OpenAsync(cancellationToken);
        await using var command = new NpgsqlCommand($"CREATE DATABASE {name.Database}_icu TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C.UTF-8' ENCODING 'UTF8'", connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
        name.Database += "_icu";
        return name.ConnectionString;
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
            b.Property(w => w.Short).HasColumnName("short").HasColumnType("character varying(9)");
            b.Property(w => w.Padded).HasColumnName("padded").HasColumnType("character(5)");
        });
    }

    private sealed class Word
    {
        public int Id { get; set; }

        public required string Text { get; set; }

        public Level Level { get; set; }

        public string? Short { get; set; }

        public string? Padded { get; set; }
    }
}
