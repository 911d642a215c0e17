using System.Data.Common;
using System.Linq.Expressions;
using DbSync.EntityFrameworkCore.Routing;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;

namespace DbSync.EntityFrameworkCore.Tests.Plugging;

/// <summary>However an application makes and configures its contexts, their reads are routed; the contexts here throw when one isn't.</summary>
[Trait("Needs", "Server")]
public sealed class PluggingTests(Library library)
{
    private static readonly Func<LibraryContext, int, Book?> Compiled = EF.CompileQuery((LibraryContext db, int id) => db.Books.AsNoTracking().FirstOrDefault(b => b.Id == id));

    private static readonly Func<LibraryContext, int, IAsyncEnumerable<Book>> CompiledRows =
        EF.CompileAsyncQuery((LibraryContext db, int author) => db.Books.AsNoTracking().OrderBy(b => b.Id).Where(b => b.AuthorId == author));

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Pooled_contexts_are_routed()
    {
        var node = await library.GetAsync();
        await using var services = new ServiceCollection().AddDbContextPool<LibraryContext>(o => Library.Plug(o, node), poolSize: 2).BuildServiceProvider();
        for (var request = 0; request < 5; request++)
        {
            await using var scope = services.CreateAsyncScope();
            var db = scope.ServiceProvider.GetRequiredService<LibraryContext>();
            (await db.Books.AsNoTracking().UseReplica().CountAsync(Cancel)).ShouldBe(12);
            await db.Database.ExecuteSqlAsync($"SELECT 1", Cancel);
            (await db.Authors.AsNoTracking().UseReplica().CountAsync(Cancel)).ShouldBe(3);
        }
    }

    [Fact]
    public async Task Factories_are_routed()
    {
        var node = await library.GetAsync();
        await using var services = new ServiceCollection().AddDbContextFactory<LibraryContext>(o => Library.Plug(o, node)).BuildServiceProvider();
        var factory = services.GetRequiredService<IDbContextFactory<LibraryContext>>();
        await Parallel.ForEachAsync(Enumerable.Range(0, 50), Cancel, async (_, cancel) =>
        {
            await using var db = await factory.CreateDbContextAsync(cancel);
            (await db.Books.AsNoTracking().UseReplica().CountAsync(cancel)).ShouldBe(12);
        });
    }

    [Fact]
    public async Task A_context_with_injected_services_filters_by_its_own()
    {
        var node = await library.GetAsync();
        await using var services = new ServiceCollection().AddScoped<Shelf>().AddDbContext<ShelfContext>(o => Library.Plug(o, node)).BuildServiceProvider();
        for (var shelf = 0; shelf < 4; shelf++)
        {
            await using var scope = services.CreateAsyncScope();
            scope.ServiceProvider.GetRequiredService<Shelf>().Number = shelf;
            var books = await scope.ServiceProvider.GetRequiredService<ShelfContext>().Books.AsNoTracking().UseReplica().ToListAsync(Cancel);
            books.Count.ShouldBe(shelf < 2 ? 6 : 0);
            books.ShouldAllBe(b => b.Shelf == shelf);
        }
    }

    [Fact]
    public async Task Several_contexts_on_one_database_share_the_scopes_session()
    {
        var node = await library.GetAsync();
        await using var services = new ServiceCollection().AddScoped<DbSyncSession>().AddScoped<Shelf>()
            .AddDbContext<LibraryContext>(o => Library.Plug(o, node)).AddDbContext<ShelfContext>(o => Library.Plug(o, node)).BuildServiceProvider();
        await using var scope = services.CreateAsyncScope();
        var (writer, reader) = (scope.ServiceProvider.GetRequiredService<LibraryContext>(), scope.ServiceProvider.GetRequiredService<ShelfContext>());
        for (var round = 1; round <= 10; round++)
        {
            var title = $"Edition {round}";
            await writer.Books.Where(b => b.Id == 2).ExecuteUpdateAsync(s => s.SetProperty(b => b.Title, title), Cancel);
            (await reader.Books.AsNoTracking().UseReplica().SingleAsync(b => b.Id == 2, Cancel)).Title.ShouldBe(title);
        }
    }

    [Fact]
    public async Task Compiled_queries_give_values_and_rows_sync_and_async()
    {
        await using var db = new LibraryContext(Library.Plug(new DbContextOptionsBuilder<LibraryContext>(), await library.GetAsync()).Options);
        var routes = new List<RouteReason>();
        RouteLog.Observer.Value = (reason, _) => routes.Add(reason);
        Compiled(db, 4)!.Title.ShouldBe("Book 4");
        Compiled(db, 400).ShouldBeNull();
        var rows = new List<int>();
        await foreach (var book in CompiledRows(db, 1)) rows.Add(book.Id);
        rows.ShouldBe([3, 6, 9, 12]);
        routes.ShouldAllBe(r => r == RouteReason.Replica);
        routes.Count.ShouldBe(3);
    }

    [Fact]
    public async Task A_compiled_model_is_routed_and_saved_as_any_other()
    {
        await using var db = new CompiledContext(Library.Plug(new DbContextOptionsBuilder<CompiledContext>(), await library.GetAsync()).Options);
        db.Model.GetType().Name.ShouldBe("CompiledContextModel");
        var author = await db.Authors.AsNoTracking().UseReplica().Include(a => a.Books.OrderBy(b => b.Id)).SingleAsync(a => a.FullName == "Author 2", Cancel);
        author.Books.Select(b => b.Id).ShouldBe([1, 4, 7, 10]);
        db.Add(new Author { Id = 50, FullName = "New" });
        await db.SaveChangesAsync(Cancel);
        (await db.Authors.AsNoTracking().UseReplica().Where(a => a.Id == 50).Select(a => a.FullName).SingleAsync(Cancel)).ShouldBe("New");
        (await db.Authors.Where(a => a.Id == 50).ExecuteDeleteAsync(Cancel)).ShouldBe(1);
    }

    [Fact]
    public async Task Lazy_loading_reads_from_the_replica_too()
    {
        var node = await library.GetAsync();
        await using var db = new LibraryContext(Library.Plug(new DbContextOptionsBuilder<LibraryContext>().UseLazyLoadingProxies(), node).Options);
        var routes = new List<RouteReason>();
        RouteLog.Observer.Value = (reason, _) => routes.Add(reason);
        var book = db.Books.AsNoTracking().UseReplica().Single(b => b.Id == 7);
        book.GetType().ShouldNotBe(typeof(Book)); // a proxy
        book.Author!.FullName.ShouldBe("Author 2");
        book.Author.Books.Select(b => b.Id).Distinct().ShouldBe([1, 4, 7, 10], ignoreOrder: true);
        routes.ShouldBe([RouteReason.Replica, RouteReason.Replica, RouteReason.Replica]);

        db.Authors.First(a => a.Id == 3).Books.Count.ShouldBe(4); // tracked: the primary's, and so is what it loads
        routes.Skip(3).ShouldBe([RouteReason.Tracking, RouteReason.Tracking]);
    }

    [Fact]
    public async Task Interceptors_of_the_user_see_what_they_did()
    {
        var (commands, saved, changed) = (new SeenCommands(), new SeenSaves(), new OnlyFirstShelf());
        await using var db = new LibraryContext(Library.Plug(new DbContextOptionsBuilder<LibraryContext>().AddInterceptors(commands, saved, changed), await library.GetAsync()).Options);
        (await db.Books.AsNoTracking().UseReplica().TagWith("shelf").CountAsync(Cancel)).ShouldBe(6); // the query interceptor took part
        commands.Texts.ShouldHaveSingleItem().ShouldContain("COUNT(*)");
        (await db.Authors.SingleAsync(a => a.Id == 1, Cancel)).FullName = "Author 1";
        db.Entry(db.Authors.Local.Single()).Property(a => a.FullName).IsModified = true;
        await db.SaveChangesAsync(Cancel);
        saved.Count.ShouldBe(1);
        commands.Texts.Count.ShouldBe(3);
    }

    [Fact]
    public async Task What_an_interceptor_makes_of_a_query_is_judged_too()
    {
        var node = await library.GetAsync();
        await using var db = new LibraryContext(Library.Plug(new DbContextOptionsBuilder<LibraryContext>().AddInterceptors(new Rounding()), node, o => o.ThrowOnFallback(false)).Options);
        db.Books.AsNoTracking().Where(b => b.Id == 1).Select(b => b.Id / 2m).GetRoute().IsReplica.ShouldBeFalse();
    }

    private sealed class SeenCommands : DbCommandInterceptor
    {
        public List<string> Texts { get; } = [];

        public override ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
            DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result, CancellationToken cancellationToken = default)
        {
            Texts.Add(command.CommandText);
            return new(result);
        }
    }

    private sealed class SeenSaves : SaveChangesInterceptor
    {
        public int Count { get; private set; }

        public override ValueTask<int> SavedChangesAsync(SaveChangesCompletedEventData eventData, int result, CancellationToken cancellationToken = default)
        {
            Count++;
            return new(result);
        }
    }

    /// <summary>Changes queries that carry its tag.</summary>
    private sealed class OnlyFirstShelf : IQueryExpressionInterceptor
    {
        public Expression QueryCompilationStarting(Expression queryExpression, QueryExpressionEventData eventData) => new Rewriter().Visit(queryExpression);

        private sealed class Rewriter : ExpressionVisitor
        {
            protected override Expression VisitMethodCall(MethodCallExpression node)
            {
                if (node.Method.Name != nameof(EntityFrameworkQueryableExtensions.TagWith) || node.Type != typeof(IQueryable<Book>)) return base.VisitMethodCall(node);
                Expression<Func<Book, bool>> first = b => b.Shelf == 0;
                return Expression.Call(typeof(Queryable), nameof(Queryable.Where), [typeof(Book)], node.Arguments[0], Expression.Quote(first));
            }
        }
    }

    /// <summary>Puts something in that both sides compute differently.</summary>
    private sealed class Rounding : IQueryExpressionInterceptor
    {
        public Expression QueryCompilationStarting(Expression queryExpression, QueryExpressionEventData eventData) => new Rewriter().Visit(queryExpression);

        private sealed class Rewriter : ExpressionVisitor
        {
            protected override Expression VisitBinary(BinaryExpression node) =>
                node.NodeType == ExpressionType.Divide && node.Type == typeof(decimal)
                    ? Expression.Call(typeof(Math), nameof(Math.Round), null, node.Left)
                    : base.VisitBinary(node);
        }
    }
}
