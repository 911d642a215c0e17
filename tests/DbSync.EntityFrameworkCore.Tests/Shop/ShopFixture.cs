using DbSync.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace DbSync.EntityFrameworkCore.Tests.Shop;

/// <summary>The shop on a real PostgreSQL, with a real node beside it that has copied everything. Starts when the first test asks.</summary>
public sealed class ShopFixture : IAsyncLifetime
{
    private readonly PostgresFixture _postgres = new();
    private readonly SemaphoreSlim _starting = new(1, 1);
    private NodeUnderTest? _node;

    public async Task<NodeUnderTest> GetAsync()
    {
        await _starting.WaitAsync();
        try
        {
            return _node ??= await StartAsync(await CreateDatabaseAsync());
        }
        finally
        {
            _starting.Release();
        }
    }

    /// <summary>An empty database on the same server.</summary>
    public Task<string> CreateDatabaseAsync() => _postgres.CreateDatabaseAsync();

    /// <summary>A node of the test's own, with the shop's tables and rows.</summary>
    public static async Task<NodeUnderTest> StartAsync(string connectionString)
    {
        await using var db = Plain(connectionString);
        var node = await NodeUnderTest.CreateAsync(connectionString, $"SET synchronous_commit = off;\n{db.Database.GenerateCreateScript()}", Tables, CancellationToken.None);
        await ShopData.SeedAsync(db);
        node.Run();
        await node.CatchUpAsync();
        return node;
    }

    /// <summary>A context without DbSync.</summary>
    public static ShopContext Plain(string connectionString) => new(Options(connectionString).Options);

    /// <summary>A context with DbSync.</summary>
    public static ShopContext Routed(NodeUnderTest node, Action<DbSyncOptionsBuilder>? configure = null) =>
        new(Options(node.ConnectionString).UseDbSync(node.DataPath, configure).Options);

    public static DbContextOptionsBuilder<ShopContext> Options(string connectionString) => new DbContextOptionsBuilder<ShopContext>()
        .UseNpgsql(connectionString, o => o.MapEnum<Mood>("mood"))
        .UseQueryTrackingBehavior(QueryTrackingBehavior.NoTracking);

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        if (_node is not null) await _node.DisposeAsync();
        await _postgres.DisposeAsync();
        _starting.Dispose();
    }

    private const string Tables =
        """
        "Customers", sales.orders, sales.order_lines, "Products", "Categories", "CategoryProduct", "Animals", "Vehicles", "Car", "Circle", "Square", "Documents"
        """;
}
