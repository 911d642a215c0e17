using DbSync.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace DbSync.EntityFrameworkCore.Tests.Shop;

/// <summary>The shop on a real PostgreSQL, with a real node beside it that has copied everything. Starts when the first test asks.</summary>
public sealed class ShopFixture : IAsyncLifetime
{
    private readonly PostgresFixture _postgres = new();
    private readonly SemaphoreSlim _starting = new(1, 1);
    private readonly Dictionary<int, NodeUnderTest> _nodes = [];

    /// <summary>The node with so many shards; several hold customers, orders and products spread over them.</summary>
    public async Task<NodeUnderTest> GetAsync(int shards = 1)
    {
        await _starting.WaitAsync();
        try
        {
            if (!_nodes.TryGetValue(shards, out var node)) _nodes.Add(shards, node = await StartAsync(await CreateDatabaseAsync(), shards));
            return node;
        }
        finally
        {
            _starting.Release();
        }
    }

    /// <summary>An empty database on the same server.</summary>
    public Task<string> CreateDatabaseAsync() => _postgres.CreateDatabaseAsync();

    /// <summary>A node of the test's own, with the shop's tables and rows.</summary>
    public static async Task<NodeUnderTest> StartAsync(string connectionString, int shards = 1)
    {
        await using var db = Plain(connectionString);
        var node = await NodeUnderTest.CreateAsync(connectionString, $"SET synchronous_commit = off;\n{TimeZoneSql}\n{db.Database.GenerateCreateScript()}", Tables, CancellationToken.None, shards, shards == 1 ? [] : ShardKeys);
        await ShopData.SeedAsync(db);
        node.Run();
        await node.CatchUpAsync();
        return node;
    }

    /// <summary>A context without DbSync.</summary>
    public static ShopContext Plain(string connectionString) => new(Options(connectionString).Options);

    /// <summary>A context with DbSync.</summary>
    public static ShopContext Routed(
        NodeUnderTest node, Action<DbSyncOptionsBuilder>? configure = null, Func<DbContextOptionsBuilder<ShopContext>, DbContextOptionsBuilder>? options = null)
    {
        var builder = Options(node.ConnectionString).UseDbSync(node.DataPath, configure);
        options?.Invoke(builder);
        return new ShopContext(builder.Options);
    }

    public static DbContextOptionsBuilder<ShopContext> Options(string connectionString) => new DbContextOptionsBuilder<ShopContext>().OfManyKinds()
        .UseNpgsql(connectionString, o => o.MapEnum<Mood>("mood"))
        .UseQueryTrackingBehavior(QueryTrackingBehavior.NoTracking);

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes.Values) await node.DisposeAsync();
        await _postgres.DisposeAsync();
        _starting.Dispose();
    }

    // What sessions of the application see in another time zone must not differ either.
    private const string TimeZoneSql = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET TimeZone = %L', current_database(), 'Asia/Kathmandu'); END $$;";

    private static readonly (string Table, string Column)[] ShardKeys = [("Customers", "Id"), ("sales.orders", "Id"), ("Products", "Id"), ("Animals", "Id")];

    private const string Tables =
        """
        "Customers", sales.orders, sales.order_lines, "Products", "Categories", "CategoryProduct", "Animals", "Vehicles", "Car", "Circle", "Square", "Documents", "Samples", "Oddities"
        """;
}
