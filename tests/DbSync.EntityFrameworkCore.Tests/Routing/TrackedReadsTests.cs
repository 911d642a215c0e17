using DbSync.EntityFrameworkCore.Tests.Shop;
using DbSync.Testing;
using Microsoft.EntityFrameworkCore;

namespace DbSync.EntityFrameworkCore.Tests.Routing;

/// <summary>Tracked reads, where a context routes them: what the replica gave is changed and saved as if the primary had.</summary>
[Trait("Needs", "Server")]
public sealed class TrackedReadsTests(ShopFixture shop)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_the_replica_gave_is_tracked_fixed_up_and_saved()
    {
        await using var node = await ShopFixture.StartAsync(await shop.CreateDatabaseAsync());
        await using (var db = Tracking(node))
        {
            var customer = await db.Customers.UseReplica().AsTracking().Include(c => c.Orders).ThenInclude(o => o.Lines).SingleAsync(c => c.Id == 3, Cancel);
            db.Entry(customer).State.ShouldBe(EntityState.Unchanged);
            customer.Orders.ShouldAllBe(o => o.Customer == customer);
            (await db.Customers.UseReplica().AsTracking().SingleAsync(c => c.Id == 3, Cancel)).ShouldBeSameAs(customer);
            (await db.Customers.FindAsync([4], Cancel))!.Id.ShouldBe(4);
            customer.Name = "changed";
            customer.Address.City = "moved";
            customer.Profile.Visits = 77;
            customer.Profile.Devices.Add(new Device { Name = "third", Year = 2030 });
            customer.Orders[0].Note = "noted";
            (await db.SaveChangesAsync(Cancel)).ShouldBeGreaterThanOrEqualTo(2);

            var product = await db.Products.UseReplica().AsTracking().Include(p => p.Categories).OrderBy(p => p.Id).FirstAsync(p => p.Categories.Any(), Cancel);
            product.Categories.Clear(); // join rows, with keys that are no properties of a class
            await db.SaveChangesAsync(Cancel);
            var car = (Car)await db.Vehicles.UseReplica().AsTracking().SingleAsync(v => v.Plate == "P-2", Cancel);
            car.Doors = 5;
            await db.SaveChangesAsync(Cancel);
            (await db.Products.UseReplica().AsNoTracking().Where(p => p.Id == product.Id).Select(p => p.Categories.Count).SingleAsync(Cancel)).ShouldBe(0);
        }
        await using var plain = ShopFixture.Plain(node.ConnectionString);
        var saved = await plain.Customers.Include(c => c.Orders).SingleAsync(c => c.Id == 3, Cancel);
        (saved.Name, saved.Address.City, saved.Profile.Visits, saved.Profile.Devices.Last().Year).ShouldBe(("changed", "moved", 77, 2030));
        saved.Orders.Count(o => o.Note == "noted").ShouldBe(1);
        (await plain.Vehicles.OfType<Car>().SingleAsync(v => v.Plate == "P-2", Cancel)).Doors.ShouldBe(5);
    }

    [Fact]
    public async Task A_stale_entity_with_a_token_is_not_saved_over_a_newer_row()
    {
        await using var node = await NodeUnderTest.CreateAsync(
            await shop.CreateDatabaseAsync(), "CREATE TABLE tickets (id int PRIMARY KEY, title text NOT NULL, version int NOT NULL); INSERT INTO tickets VALUES (1, 'a', 1)", "tickets", Cancel);
        node.Run();
        await node.CatchUpAsync();
        await node.StopAsync();
        await node.ExecuteAsync("UPDATE tickets SET title = 'b', version = 2");
        await using var db = new TicketContext(new DbContextOptionsBuilder<TicketContext>().UseNpgsql(node.ConnectionString).UseDbSync(node.DataPath, o => o.RouteTrackedReads()).Options);
        var ticket = await db.Tickets.UseReplica().SingleAsync(Cancel);
        ticket.Title.ShouldBe("a");
        (ticket.Title, ticket.Version) = ("c", 3);
        await Should.ThrowAsync<DbUpdateConcurrencyException>(() => db.SaveChangesAsync(Cancel));
    }

    [Fact]
    public async Task A_row_version_of_PostgreSQL_is_the_primarys()
    {
        await using var node = await NodeUnderTest.CreateAsync(
            await shop.CreateDatabaseAsync(), "CREATE TABLE pages (id int PRIMARY KEY, text text NOT NULL); INSERT INTO pages VALUES (1, 'a')", "pages", Cancel);
        node.Run();
        await node.CatchUpAsync();
        await using var db = new PageContext(new DbContextOptionsBuilder<PageContext>().UseNpgsql(node.ConnectionString)
            .UseDbSync(node.DataPath, o => o.RouteTrackedReads().WaitUpTo(TimeSpan.FromSeconds(30))).Options);
        db.Pages.GetRoute().Reason.ShouldBe(RouteReason.PrimaryOnlyColumn); // xmin isn't in the log, and its stand-in would be wrong after a savepoint
        db.Pages.AsNoTracking().GetRoute().Reason.ShouldBe(RouteReason.PrimaryOnlyColumn);
        db.Pages.Select(p => new { p.Id, p.Text }).GetRoute().Reason.ShouldBe(RouteReason.Replica);
        (await db.Pages.SingleAsync(Cancel)).Text = "b";
        await db.SaveChangesAsync(Cancel);
    }

    private static ShopContext Tracking(NodeUnderTest node) => ShopFixture.Routed(node, o => o.RouteTrackedReads().ThrowOnFallback().WaitUpTo(TimeSpan.FromSeconds(30)));

    private sealed class TicketContext(DbContextOptions<TicketContext> options) : DbContext(options)
    {
        public DbSet<Ticket> Tickets => Set<Ticket>();

        protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.Entity<Ticket>(b =>
        {
            b.ToTable("tickets");
            b.Property(t => t.Id).HasColumnName("id");
            b.Property(t => t.Title).HasColumnName("title");
            b.Property(t => t.Version).HasColumnName("version").IsConcurrencyToken();
        });
    }

    private sealed class Ticket
    {
        public int Id { get; set; }

        public required string Title { get; set; }

        public int Version { get; set; }
    }

    private sealed class PageContext(DbContextOptions<PageContext> options) : DbContext(options)
    {
        public DbSet<Page> Pages => Set<Page>();

        protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.Entity<Page>(b =>
        {
            b.ToTable("pages");
            b.Property(p => p.Id).HasColumnName("id");
            b.Property(p => p.Text).HasColumnName("text");
            b.Property(p => p.Version).IsRowVersion();
        });
    }

    private sealed class Page
    {
        public int Id { get; set; }

        public required string Text { get; set; }

        public uint Version { get; set; }
    }
}
