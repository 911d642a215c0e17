using System.Globalization;
using DbSync.EntityFrameworkCore;
using DbSync.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace DbSync.AspNetCore.Tests.Sessions;

/// <summary>An application server on Kestrel, on a port of its own, with a replica of its own.</summary>
internal sealed class ServerUnderTest : IAsyncDisposable
{
    public const string Header = "X-Session";
    private readonly WebApplication _app;

    private ServerUnderTest(WebApplication app) => _app = app;

    public Uri Address => new(_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());

    public static async Task<ServerUnderTest> StartAsync(NodeUnderTest node, string keys, string name = "shop")
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddDataProtection().SetApplicationName(name).PersistKeysToFileSystem(new DirectoryInfo(keys));
        builder.Services.AddDbSyncSession(o => o.HeaderName = Header);
        builder.Services.AddDbContextPool<StockContext>(o => o.UseNpgsql(node.ConnectionString).UseDbSync(node.DataPath, d => d.WaitUpTo(TimeSpan.FromMilliseconds(100))));
        var app = builder.Build();
        app.UseDbSyncSession();
        app.MapGet("/stock", async (StockContext db, int id) =>
        {
            var route = db.Stocks.AsNoTracking().GetRoute();
            var count = await db.Stocks.AsNoTracking().Where(s => s.Id == id).Select(s => s.Count).SingleAsync();
            return string.Create(CultureInfo.InvariantCulture, $"{count} {route.IsReplica}");
        });
        app.MapPost("/stock", async (StockContext db, int id, int count) =>
        {
            await db.Stocks.Where(s => s.Id == id).ExecuteUpdateAsync(s => s.SetProperty(x => x.Count, count));
            return "done";
        });
        await app.StartAsync();
        return new ServerUnderTest(app);
    }

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();
}

internal sealed class StockContext(DbContextOptions<StockContext> options) : DbContext(options)
{
    public const string Schema = "CREATE TABLE stock (id int PRIMARY KEY, count int NOT NULL); INSERT INTO stock SELECT g, 0 FROM generate_series(1, 16) g;";

    public DbSet<Stock> Stocks => Set<Stock>();

    protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.Entity<Stock>(b =>
    {
        b.ToTable("stock");
        b.Property(s => s.Id).HasColumnName("id");
        b.Property(s => s.Count).HasColumnName("count");
    });
}

internal sealed class Stock
{
    public int Id { get; set; }

    public int Count { get; set; }
}
