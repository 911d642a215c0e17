using DbSync.EntityFrameworkCore.Routing;
using DbSync.EntityFrameworkCore.Tests.Shop;
using DbSync.Testing;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;

namespace DbSync.EntityFrameworkCore.Tests.Routing;

/// <summary>
/// A node that holds two of a replica's four shards: what lies in one of its shards it answers, joins of tables with the same shard key too, and the primary
/// the rest.
/// </summary>
[Trait("Needs", "Server")]
public sealed class HalfNodeTests(ShopFixture shop)
{
    private const string Schema =
        """
        CREATE TABLE customers (id bigint PRIMARY KEY, name text NOT NULL, country text NOT NULL);
        CREATE TABLE orders (customer_id bigint NOT NULL, id bigint NOT NULL, total int NOT NULL, PRIMARY KEY (customer_id, id));
        CREATE TABLE countries (code text PRIMARY KEY, name text NOT NULL);
        INSERT INTO customers SELECT g, 'customer ' || g, 'c' || g % 5 FROM generate_series(1, 100) g;
        INSERT INTO orders SELECT 1 + g % 100, g, g FROM generate_series(1, 400) g;
        INSERT INTO countries SELECT 'c' || g, 'country ' || g FROM generate_series(0, 4) g;
        """;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_lies_in_one_shard_here_is_answered_here_and_the_rest_by_the_primary()
    {
        await using var node = await NodeUnderTest.CreateHalfAsync(
            await shop.CreateDatabaseAsync(), Schema, "customers, orders, countries", shards: 2, [("customers", "id"), ("orders", "customer_id")], Cancel);
        node.Run();
        await node.CatchUpAsync();
        var shards = NodeFile.Load(node.DataPath).Shards.Select(s => CustomersOf(Path.Combine(node.DataPath, s.File))).ToList();
        shards.ShouldAllBe(s => s.Count >= 2);
        var (here, together, apart) = (shards[0][0], shards[0][1], shards[1][0]);
        var away = Enumerable.Range(1, 100).Select(i => (long)i).Except(shards.SelectMany(s => s)).First();

        async Task AskAsync(string name, RouteReason expected, Func<SalesContext, Task<object?>> query)
        {
            await using var plain = SalesContext.On(node, routed: false);
            await using var routed = SalesContext.On(node, routed: true);
            var routes = new List<RouteReason>();
            RouteLog.Observer.Value = (reason, _) => routes.Add(reason);
            var answer = await query(routed);
            RouteLog.Observer.Value = null;
            answer.ShouldBe(await query(plain), name);
            routes.ShouldBe([expected], name);
        }

        foreach (var (id, route) in new[] { (here, RouteReason.Replica), (apart, RouteReason.Replica), (away, RouteReason.NoReplica) })
        {
            await AskAsync($"by key {id}", route, async db => await db.Customers.Where(c => c.Id == id).Select(c => c.Name).SingleAsync(Cancel));
            await AskAsync($"the other table {id}", route, async db => await db.Orders.Where(o => o.CustomerId == id).SumAsync(o => o.Total, Cancel));
            await AskAsync($"joined {id}", route, async db => await db.Customers.Join(db.Orders, c => c.Id, o => o.CustomerId, (c, o) => new { c.Id, c.Name, o.Total })
                .Where(x => x.Id == id).MaxAsync(x => x.Total, Cancel));
            await AskAsync($"by navigation {id}", route, async db => await db.Orders.Where(o => o.Customer!.Id == id && o.Customer.Name != "-").CountAsync(Cancel));
            await AskAsync($"included {id}", route, async db => Text(await db.Customers.Include(c => c.Orders.OrderBy(o => o.Id)).SingleAsync(c => c.Id == id, Cancel)));
            await AskAsync($"split {id}", route, async db => Text(await db.Customers.Include(c => c.Orders.OrderBy(o => o.Id)).AsSplitQuery().SingleAsync(c => c.Id == id, Cancel)));
            await AskAsync($"included in part {id}", route, async db => Text(await db.Customers.Include(c => c.Orders.Where(o => o.Total > 150).OrderBy(o => o.Id)).SingleAsync(c => c.Id == id, Cancel)));
            await AskAsync($"with a subquery {id}", route, async db => await db.Customers.Where(c => c.Id == id && c.Orders.Any(o => o.Total > 5)).CountAsync(Cancel));
            await AskAsync($"with a count {id}", route, async db => await db.Customers.Where(c => c.Id == id).Select(c => c.Orders.Count).SingleAsync(Cancel));
            await AskAsync($"outer {id}", route, async db => await db.Customers.Where(c => c.Id == id).LeftJoin(db.Orders, c => c.Id, o => o.CustomerId, (c, o) => o!.Total).SumAsync(Cancel));
            await AskAsync($"with a reference table {id}", route, async db => await db.Customers.Where(c => c.Id == id).Join(db.Countries, c => c.Country, c => c.Code, (_, c) => c.Name).SingleAsync(Cancel));
        }
        long[] same = [here, together];
        long[] two = [here, apart];
        long[] far = [here, away];
        await AskAsync("two of one shard", RouteReason.Replica, async db => await db.Customers.Where(c => same.Contains(c.Id)).CountAsync(Cancel));
        await AskAsync("two of two shards", RouteReason.NoReplica, async db => await db.Customers.Where(c => two.Contains(c.Id)).CountAsync(Cancel));
        await AskAsync("two, and one is away", RouteReason.NoReplica, async db => await db.Customers.Where(c => far.Contains(c.Id)).CountAsync(Cancel));
        await AskAsync("all", RouteReason.NoReplica, async db => await db.Customers.CountAsync(Cancel));
        await AskAsync("all, joined", RouteReason.NoReplica, async db => await db.Customers.SelectMany(c => c.Orders).CountAsync(Cancel));
        await AskAsync("not by its shard key", RouteReason.NoReplica, async db => await db.Orders.Where(o => o.Id == 7).CountAsync(Cancel));
        await AskAsync("joined by another column", RouteReason.NoReplica, async db => await db.Customers.Where(c => c.Id == here)
            .Join(db.Orders, c => c.Id, o => o.Id, (_, o) => o.Total).SumAsync(Cancel));
        await AskAsync("the first of all, if it is the one", RouteReason.NoReplica, async db => await db.Orders.OrderBy(o => o.Id).Take(3)
            .Join(db.Customers, o => o.CustomerId, c => c.Id, (_, c) => c.Id).Where(i => i == here).CountAsync(Cancel));
        await AskAsync("not the key", RouteReason.NoReplica, async db => await db.Customers.Where(c => c.Id != here).CountAsync(Cancel));
        await AskAsync("the key or else", RouteReason.NoReplica, async db => await db.Customers.Where(c => c.Id == here || c.Name == "customer 3").CountAsync(Cancel));
        await AskAsync("a reference table", RouteReason.Replica, async db => await db.Countries.CountAsync(Cancel));
    }

    private static string Text(Customer customer) => $"{customer.Name}: {string.Join(' ', customer.Orders.Select(o => o.Id))}";

    private static List<long> CustomersOf(string file)
    {
        using var shard = new SqliteConnection($"Data Source={file};Mode=ReadOnly;Pooling=False");
        shard.Open();
        using var command = shard.CreateCommand();
        command.CommandText = "SELECT id FROM customers ORDER BY id";
        var ids = new List<long>();
        using var reader = command.ExecuteReader();
        while (reader.Read()) ids.Add(reader.GetInt64(0));
        return ids;
    }

    private sealed class SalesContext(DbContextOptions<SalesContext> options) : DbContext(options)
    {
        public IQueryable<Customer> Customers => Set<Customer>().AsNoTracking();

        public IQueryable<Order> Orders => Set<Order>().AsNoTracking();

        public IQueryable<Country> Countries => Set<Country>().AsNoTracking();

        public static SalesContext On(NodeUnderTest node, bool routed)
        {
            var options = new DbContextOptionsBuilder<SalesContext>().OfManyKinds().UseNpgsql(node.ConnectionString);
            return new SalesContext((routed ? options.UseDbSync(node.DataPath, o => o.WaitUpTo(TimeSpan.FromSeconds(30))) : options).Options);
        }

        protected override void OnModelCreating(ModelBuilder modelBuilder)
        {
            modelBuilder.Entity<Customer>(b =>
            {
                b.ToTable("customers");
                b.Property(c => c.Id).HasColumnName("id");
                b.Property(c => c.Name).HasColumnName("name");
                b.Property(c => c.Country).HasColumnName("country");
            });
            modelBuilder.Entity<Order>(b =>
            {
                b.ToTable("orders");
                b.HasKey(o => new { o.CustomerId, o.Id });
                b.Property(o => o.CustomerId).HasColumnName("customer_id");
                b.Property(o => o.Id).HasColumnName("id");
                b.Property(o => o.Total).HasColumnName("total");
            });
            modelBuilder.Entity<Country>(b =>
            {
                b.ToTable("countries");
                b.HasKey(c => c.Code);
                b.Property(c => c.Code).HasColumnName("code");
                b.Property(c => c.Name).HasColumnName("name");
            });
        }
    }

    private sealed class Customer
    {
        public long Id { get; set; }

        public required string Name { get; set; }

        public required string Country { get; set; }

        public List<Order> Orders { get; } = [];
    }

    private sealed class Order
    {
        public long CustomerId { get; set; }

        public long Id { get; set; }

        public int Total { get; set; }

        public Customer? Customer { get; set; }
    }

    private sealed class Country
    {
        public required string Code { get; set; }

        public required string Name { get; set; }
    }
}
