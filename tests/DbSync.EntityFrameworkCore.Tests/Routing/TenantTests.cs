using System.Data.Common;
using DbSync.EntityFrameworkCore.Routing;
using DbSync.EntityFrameworkCore.Tests.Shop;
using DbSync.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;

namespace DbSync.EntityFrameworkCore.Tests.Routing;

/// <summary>Applications that choose a tenant by what they set on a connection: a replica never sees that, so the rows must be those of plain Npgsql.</summary>
[Trait("Needs", "Server")]
public sealed class TenantTests(ShopFixture shop)
{
    private const string Schema =
        """
        CREATE TABLE things (id int PRIMARY KEY, tenant int NOT NULL);
        INSERT INTO things SELECT g, g % 2 FROM generate_series(1, 10) g;
        CREATE SCHEMA tenant7;
        CREATE TABLE tenant7.things (id int PRIMARY KEY, tenant int NOT NULL);
        INSERT INTO tenant7.things VALUES (701, 7), (702, 7);
        """;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_schema_chosen_on_a_connection_is_the_one_that_is_read()
    {
        await using var node = await NodeAsync();
        await node.ExecuteAsync(
            """
            DROP ROLE IF EXISTS tenant7; CREATE ROLE tenant7 LOGIN; GRANT USAGE ON SCHEMA tenant7 TO tenant7; GRANT SELECT ON things, tenant7.things TO tenant7;
            """); // whose own schema comes before public
        var ways = new Dictionary<string, (string ConnectionString, IInterceptor[] Interceptors, Func<ThingContext, Func<Task<string>>, Task<string>> Act)>(StringComparer.Ordinal)
        {
            ["held open"] = (node.ConnectionString, [], async (db, read) =>
            {
                await db.Database.OpenConnectionAsync(Cancel);
                await db.Database.ExecuteSqlAsync($"SET search_path TO tenant7", Cancel);
                return await read();
            }),
            ["its own connection"] = (node.ConnectionString, [], async (db, read) =>
            {
                await using var connection = new NpgsqlConnection(node.ConnectionString);
                await connection.OpenAsync(Cancel);
                db.Database.SetDbConnection(connection);
                await db.Database.ExecuteSqlAsync($"SET search_path TO tenant7", Cancel);
                return await read();
            }),
            ["in a transaction"] = (node.ConnectionString, [], async (db, read) =>
            {
                await using var transaction = await db.Database.BeginTransactionAsync(Cancel);
                await db.Database.ExecuteSqlAsync($"SET LOCAL search_path TO tenant7", Cancel);
                return await read();
            }),
            ["kept by the pool"] = (With(node, "No Reset On Close", "true", "Maximum Pool Size", "1"), [], async (db, read) =>
            {
                await db.Database.ExecuteSqlAsync($"SET search_path TO public", Cancel);
                (await read()).ShouldBe("1 2 3 4 5 6 7 8 9 10");
                await db.Database.ExecuteSqlAsync($"SET search_path TO tenant7", Cancel);
                return await read();
            }),
            ["not kept by the pool"] = (With(node, "Maximum Pool Size", "1"), [], async (db, read) =>
            {
                await db.Database.ExecuteSqlAsync($"SET search_path TO tenant7", Cancel);
                return await read();
            }),
            ["by an interceptor"] = (node.ConnectionString, [new Chooser("SET search_path TO tenant7")], (_, read) => read()),
            ["by an option"] = (With(node, "Options", "-c search_path=tenant7"), [], (_, read) => read()),
            ["by the role's name"] = (With(node, "Username", "tenant7"), [], (_, read) => read()),
        };
        foreach (var (way, (connectionString, interceptors, act)) in ways)
            foreach (var rounds in new[] { 1, 2 }) // the second finds everything known
                await SameAsync(node, connectionString, interceptors, act, $"{way}, {rounds}", _ => { });
    }

    [Fact]
    public async Task A_pooled_context_that_moves_from_tenant_to_tenant_reads_each_ones_database()
    {
        await using var node = await NodeAsync();
        (NodeFile.Load(node.DataPath) with { Database = (string)(await node.ScalarAsync("SELECT current_database()"))! }).Save(node.DataPath);
        var another = await shop.CreateDatabaseAsync();
        await using (var connection = new NpgsqlConnection(another))
        {
            await connection.OpenAsync(Cancel);
            await using var command = new NpgsqlCommand("CREATE TABLE things (id int PRIMARY KEY, tenant int NOT NULL); INSERT INTO things VALUES (5001, 5)", connection);
            await command.ExecuteNonQueryAsync(Cancel);
        }
        await using var db = ThingContext.On(node.ConnectionString, node, o => o.WaitUpTo(TimeSpan.FromSeconds(30)));
        for (var round = 0; round < 2; round++)
        {
            db.Database.SetConnectionString(another);
            (await ReadAsync(db)).ShouldBe(("5001", RouteReason.OtherDatabase));
            db.Database.SetConnectionString(node.ConnectionString);
            (await ReadAsync(db)).ShouldBe(("1 2 3 4 5 6 7 8 9 10", RouteReason.Replica));
        }
    }

    [Fact]
    public async Task Rows_that_a_policy_hides_stay_hidden()
    {
        await using var node = await NodeAsync();
        await node.ExecuteAsync(
            """
            DROP ROLE IF EXISTS lodger; DROP ROLE IF EXISTS landlord;
            CREATE ROLE lodger LOGIN; CREATE ROLE landlord LOGIN;
            GRANT SELECT ON things TO lodger, landlord; ALTER TABLE things OWNER TO landlord;
            CREATE POLICY own ON things USING (tenant = current_setting('app.tenant', true)::int);
            ALTER TABLE things ENABLE ROW LEVEL SECURITY;
            """);
        await node.CatchUpAsync();
        var (lodger, landlord) = (With(node, "Username", "lodger"), With(node, "Username", "landlord"));
        IInterceptor[] chooses = [new Chooser("SET app.tenant = '1'")];
        var route = RouteReason.Failed;
        (await SameAsync(node, lodger, chooses, (_, read) => read(), "by an interceptor", _ => { })).ShouldBe("1 3 5 7 9");
        (await SameAsync(node, lodger, chooses, (_, read) => read(), "by a trusted interceptor", o => o.TrustConnectionInterceptors(), r => route = r)).ShouldBe("1 3 5 7 9");
        route.ShouldBe(RouteReason.Rights);
        (await SameAsync(node, lodger, [], async (db, read) =>
        {
            await using var transaction = await db.Database.BeginTransactionAsync(Cancel);
            await db.Database.ExecuteSqlAsync($"SELECT set_config('app.tenant', '0', true)", Cancel);
            return await read();
        }, "in a transaction", _ => { })).ShouldBe("2 4 6 8 10");
        (await SameAsync(node, landlord, [], (_, read) => read(), "the owner", _ => { }, r => route = r)).ShouldBe("1 2 3 4 5 6 7 8 9 10");
        route.ShouldBe(RouteReason.Replica); // no policy applies to it

        await node.ExecuteAsync("ALTER TABLE things FORCE ROW LEVEL SECURITY");
        await using var db = ThingContext.On(landlord, node, o => o.WaitUpTo(TimeSpan.FromSeconds(30)));
        await Eventually.Async(async _ => (await ReadAsync(db)).Route == RouteReason.Rights, cancellationToken: Cancel);
        (await SameAsync(node, landlord, chooses, (_, read) => read(), "the owner, by force", o => o.TrustConnectionInterceptors())).ShouldBe("1 3 5 7 9");
    }

    /// <summary>Does the same with DbSync and without, and gives the rows.</summary>
    private static async Task<string> SameAsync(
        NodeUnderTest node, string connectionString, IInterceptor[] interceptors, Func<ThingContext, Func<Task<string>>, Task<string>> act, string way,
        Action<DbSyncOptionsBuilder> configure, Action<RouteReason>? observe = null)
    {
        async Task<string> AskAsync(NodeUnderTest? with)
        {
            await using var db = ThingContext.On(connectionString, with, o => configure(o.WaitUpTo(TimeSpan.FromSeconds(30))), interceptors);
            return await act(db, async () =>
            {
                var (rows, route) = await ReadAsync(db);
                if (with is not null) observe?.Invoke(route);
                return rows;
            });
        }
        var routed = await AskAsync(node);
        routed.ShouldBe(await AskAsync(null), way);
        return routed;
    }

    private static async Task<(string Rows, RouteReason Route)> ReadAsync(ThingContext db)
    {
        var route = RouteReason.Failed;
        RouteLog.Observer.Value = (reason, _) => route = reason;
        return (string.Join(' ', await db.Things.AsNoTracking().OrderBy(t => t.Id).Select(t => t.Id).ToListAsync(Cancel)), route);
    }

    private static string With(NodeUnderTest node, params string[] settings)
    {
        var builder = new NpgsqlConnectionStringBuilder(node.ConnectionString);
        for (var i = 0; i < settings.Length; i += 2) builder[settings[i]] = settings[i + 1];
        return builder.ConnectionString;
    }

    private async Task<NodeUnderTest> NodeAsync()
    {
        var node = await NodeUnderTest.CreateAsync(await shop.CreateDatabaseAsync(), Schema, "things", Cancel);
        node.Run();
        await node.CatchUpAsync();
        return node;
    }

    /// <summary>What multi-tenant applications do as soon as a connection is open.</summary>
    private sealed class Chooser(string sql) : DbConnectionInterceptor
    {
        public override void ConnectionOpened(DbConnection connection, ConnectionEndEventData eventData)
        {
            using var command = connection.CreateCommand();
            command.CommandText = sql;
            command.ExecuteNonQuery();
        }

        public override async Task ConnectionOpenedAsync(DbConnection connection, ConnectionEndEventData eventData, CancellationToken cancellationToken = default)
        {
            await using var command = connection.CreateCommand();
            command.CommandText = sql;
            await command.ExecuteNonQueryAsync(cancellationToken);
        }
    }

    private sealed class ThingContext(DbContextOptions<ThingContext> options) : DbContext(options)
    {
        public DbSet<Thing> Things => Set<Thing>();

        public static ThingContext On(string connectionString, NodeUnderTest? node, Action<DbSyncOptionsBuilder> configure, params IInterceptor[] interceptors)
        {
            var options = new DbContextOptionsBuilder<ThingContext>().OfManyKinds().UseNpgsql(connectionString).AddInterceptors(interceptors);
            return new ThingContext((node is null ? options : options.UseDbSync(node.DataPath, configure)).Options);
        }

        protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.Entity<Thing>(b =>
        {
            b.ToTable("things");
            b.Property(t => t.Id).HasColumnName("id");
            b.Property(t => t.Tenant).HasColumnName("tenant");
        });
    }

    private sealed class Thing
    {
        public int Id { get; set; }

        public int Tenant { get; set; }
    }
}
