using System.Security.Cryptography;
using DbSync.EntityFrameworkCore.Consistency;
using DbSync.EntityFrameworkCore.Tests.Shop;
using DbSync.Sqlite;
using DbSync.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.DependencyInjection;

namespace DbSync.EntityFrameworkCore.Tests.Consistency;

[Trait("Needs", "Server")]
public sealed class ConsistencyTests(ShopFixture shop)
{
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(30);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_stopped_node_serves_eventual_reads_and_nothing_that_must_be_newer()
    {
        await using var node = await NodeAsync();
        await using var db = CounterContext.On(node, o => o.WaitUpTo(TimeSpan.FromMilliseconds(20)));
        (await ReadAsync(db, ReadConsistency.Session)).ShouldBe((0, RouteReason.Replica));
        await node.StopAsync();
        await node.ExecuteAsync("UPDATE counters SET value = 7");

        (await ReadAsync(db, ReadConsistency.Eventual)).ShouldBe((0, RouteReason.Replica));
        (await ReadAsync(db, ReadConsistency.Session)).ShouldBe((0, RouteReason.Replica)); // somebody else's write
        (await ReadAsync(db, ReadConsistency.Strong)).ShouldBe((7, RouteReason.NotFresh));
        (await ReadAsync(db, ReadConsistency.Session)).ShouldBe((7, RouteReason.NotFresh)); // never behind what was read
        (await ReadAsync(db, ReadConsistency.BoundedStaleness(TimeSpan.FromMilliseconds(1)))).ShouldBe((7, RouteReason.NotFresh));
        (await ReadAsync(db, ReadConsistency.BoundedStaleness(TimeSpan.FromHours(1)))).ShouldBe((0, RouteReason.Replica));
        (await ReadAsync(db, ReadConsistency.Eventual)).ShouldBe((0, RouteReason.Replica));

        node.Run();
        await using var patient = CounterContext.On(node, o => o.WaitUpTo(Long));
        (await ReadAsync(patient, ReadConsistency.Strong)).ShouldBe((7, RouteReason.Replica));
    }

    /// <summary>While everything is copied again the old file stands still: what it can't have is not waited for; then readers move over.</summary>
    [Fact]
    public async Task A_stale_replica_keeps_nobody_waiting_and_readers_move_to_the_file_that_takes_its_place()
    {
        await using var node = await NodeAsync();
        await using var db = CounterContext.On(node, o => o.WaitUpTo(Long));
        (await ReadAsync(db, ReadConsistency.Session)).ShouldBe((0, RouteReason.Replica));
        await node.StopAsync();
        var stale = NodeFile.Load(node.DataPath) with { StaleSince = DateTimeOffset.UnixEpoch };
        stale.Save(node.DataPath);
        await node.ExecuteAsync("UPDATE counters SET value = 7");

        var started = TimeProvider.System.GetTimestamp();
        await Eventually.Async(async _ => (await ReadAsync(db, ReadConsistency.Strong)).Route == RouteReason.NotFresh, cancellationToken: Cancel);
        TimeProvider.System.GetElapsedTime(started).ShouldBeLessThan(Long / 2);
        (await ReadAsync(db, ReadConsistency.Eventual)).ShouldBe((0, RouteReason.Replica));

        var next = NodeFile.FileNameOf(stale.Shards[0].Id, 2);
        using (var old = new SqliteDatabase(Path.Combine(node.DataPath, stale.Shards[0].File), "shard")) old.Execute($"VACUUM INTO '{Path.Combine(node.DataPath, next)}'");
        using (var file = new SqliteDatabase(Path.Combine(node.DataPath, next), "shard")) file.Execute("UPDATE counters SET value = 8");
        (stale with { StaleSince = null, Shards = [stale.Shards[0] with { File = next }] }).Save(node.DataPath);
        await Eventually.Async(async _ => await ReadAsync(db, ReadConsistency.Eventual) == (8, RouteReason.Replica), cancellationToken: Cancel);
    }

    [Fact]
    public async Task A_refusal_may_throw()
    {
        await using var node = await NodeAsync();
        await using var db = CounterContext.On(node, o => o.WaitUpTo(TimeSpan.Zero, OnRefusal.Throw));
        await node.StopAsync();
        await db.Counters.Where(c => c.Id == 1).ExecuteUpdateAsync(s => s.SetProperty(c => c.Value, 5), Cancel);
        (await Should.ThrowAsync<DbSyncException>(() => db.Counters.AsNoTracking().ToListAsync(Cancel))).Code.ShouldBe(ErrorCodes.NotFreshEnough);
    }

    [Fact]
    public async Task A_waiting_read_gets_its_own_write_from_the_replica()
    {
        await using var node = await NodeAsync();
        await using var db = CounterContext.On(node, o => o.WaitUpTo(Long).ThrowOnFallback());
        for (var value = 1; value <= 20; value++)
        {
            await db.Counters.Where(c => c.Id == 1).ExecuteUpdateAsync(s => s.SetProperty(c => c.Value, value), Cancel);
            (await ReadAsync(db, ReadConsistency.Session)).ShouldBe((value, RouteReason.Replica));
        }
    }

    [Fact]
    public async Task A_write_that_nobody_replicates_makes_no_reader_wait_in_vain()
    {
        await using var node = await NodeAsync();
        await node.ExecuteAsync("CREATE TABLE elsewhere (id int)");
        await using var db = CounterContext.On(node, o => o.WaitUpTo(Long).ThrowOnFallback());
        await db.Database.ExecuteSqlAsync($"INSERT INTO elsewhere SELECT generate_series(1, 1000)", Cancel);
        (await ReadAsync(db, ReadConsistency.Session)).ShouldBe((0, RouteReason.Replica));
    }

    [Fact]
    public async Task A_token_carries_a_write_to_another_session()
    {
        await using var node = await NodeAsync();
        await using var writer = CounterContext.On(node);
        await using var reader = CounterContext.On(node, o => o.WaitUpTo(Long).ThrowOnFallback());
        await node.StopAsync();
        await writer.Counters.Where(c => c.Id == 1).ExecuteUpdateAsync(s => s.SetProperty(c => c.Value, 9), Cancel);
        var token = await writer.GetSyncTokenAsync(Cancel);
        token.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_').ShouldBeTrue(); // a cookie's and a header's
        (await ReadAsync(reader, ReadConsistency.Session)).Value.ShouldBe(0);

        reader.JoinSyncToken(token);
        node.Run();
        (await ReadAsync(reader, ReadConsistency.Session)).ShouldBe((9, RouteReason.Replica));
    }

    [Fact]
    public async Task With_a_key_a_context_takes_sealed_tokens_and_no_others()
    {
        await using var node = await NodeAsync();
        var key = RandomNumberGenerator.GetBytes(32);
        void Sealed(DbSyncOptionsBuilder o) => o.UseSyncTokenKey(key).WaitUpTo(TimeSpan.FromMilliseconds(20));
        await using var writer = CounterContext.On(node, Sealed);
        await using var reader = CounterContext.On(node, Sealed);
        await using var plain = CounterContext.On(node, o => o.WaitUpTo(TimeSpan.FromMilliseconds(20)));
        await using var stranger = CounterContext.On(node, o => o.UseSyncTokenKey(RandomNumberGenerator.GetBytes(32)).WaitUpTo(TimeSpan.FromMilliseconds(20)));
        (await ReadAsync(reader, null)).ShouldBe((0, RouteReason.Replica));
        await node.StopAsync();
        await writer.Counters.Where(c => c.Id == 1).ExecuteUpdateAsync(s => s.SetProperty(c => c.Value, 9), Cancel);
        var token = await writer.GetSyncTokenAsync(Cancel);
        await plain.Counters.Where(c => c.Id == 1).ExecuteUpdateAsync(s => s.SetProperty(c => c.Value, 9), Cancel);
        foreach (var refused in new[] { await plain.GetSyncTokenAsync(Cancel), await stranger.GetSyncTokenAsync(Cancel), token[..^1], $"{token[..^1]}{(token[^1] == 'A' ? 'B' : 'A')}" })
        {
            reader.JoinSyncToken(refused);
            (await ReadAsync(reader, null)).ShouldBe((0, RouteReason.Replica));
        }
        plain.JoinSyncToken(token);
        reader.JoinSyncToken(token);
        (await ReadAsync(reader, null)).ShouldBe((9, RouteReason.NotFresh));
    }

    [Fact]
    public void A_short_key_is_refused() =>
        Should.Throw<ArgumentException>(() => new DbContextOptionsBuilder().UseDbSync("nowhere", o => o.UseSyncTokenKey(new byte[16])));

    [Fact]
    public async Task A_token_of_another_cluster_keeps_nobody_waiting()
    {
        await using var node = await NodeAsync();
        await using var db = CounterContext.On(node, o => o.WaitUpTo(Long).ThrowOnFallback());
        SyncToken.TryParse(await db.GetSyncTokenAsync(Cancel), out var real).ShouldBeTrue();
        await using var reader = CounterContext.On(node, o => o.WaitUpTo(Long).ThrowOnFallback());
        await node.StopAsync();
        reader.JoinSyncToken((real with { SystemIdentifier = real.SystemIdentifier + 1, Position = new Lsn(ulong.MaxValue) }).ToString());
        (await ReadAsync(reader, null)).ShouldBe((0, RouteReason.Replica));
    }

    [Theory]
    [InlineData("")]
    [InlineData("nonsense")]
    [InlineData("AAAA.BBBB.CCCC")]
    [InlineData("%%%")]
    public void Text_that_is_no_token_is_ignored(string text)
    {
        new DbSyncSession().Join(text);
        SyncToken.TryParse(text, out _).ShouldBeFalse();
    }

    [Fact]
    public async Task A_made_up_token_beyond_the_primarys_position_is_ignored()
    {
        await using var node = await NodeAsync();
        await using var db = CounterContext.On(node, o => o.WaitUpTo(Long).ThrowOnFallback());
        SyncToken.TryParse(await db.GetSyncTokenAsync(Cancel), out var real).ShouldBeTrue();
        await using var victim = CounterContext.On(node, o => o.WaitUpTo(Long).ThrowOnFallback());
        victim.JoinSyncToken((real with { Position = new Lsn(ulong.MaxValue) }).ToString());
        (await ReadAsync(victim, ReadConsistency.Session)).ShouldBe((0, RouteReason.Replica));
    }

    [Fact]
    public async Task Contexts_of_one_flow_share_its_session()
    {
        await using var node = await NodeAsync();
        await using var writer = CounterContext.On(node);
        await using var reader = CounterContext.On(node, o => o.WaitUpTo(TimeSpan.FromMilliseconds(20)));
        (await ReadAsync(reader, ReadConsistency.Session)).ShouldBe((0, RouteReason.Replica));
        await node.StopAsync();
        using (new DbSyncSession().Enter())
        {
            await writer.Counters.Where(c => c.Id == 1).ExecuteUpdateAsync(s => s.SetProperty(c => c.Value, 3), Cancel);
            (await ReadAsync(reader, ReadConsistency.Session)).ShouldBe((3, RouteReason.NotFresh));
        }
        (await ReadAsync(reader, ReadConsistency.Eventual)).ShouldBe((0, RouteReason.Replica));
    }

    [Fact]
    public async Task A_scopes_level_holds_for_its_contexts_until_a_context_or_a_query_says_another()
    {
        await using var node = await NodeAsync();
        await using var db = CounterContext.On(node, o => o.WaitUpTo(TimeSpan.FromMilliseconds(20)));
        await using var other = CounterContext.On(node, o => o.WaitUpTo(TimeSpan.FromMilliseconds(20)));
        (await ReadAsync(db, null)).ShouldBe((0, RouteReason.Replica));
        await node.StopAsync();
        await node.ExecuteAsync("UPDATE counters SET value = 7");
        var session = new DbSyncSession { Consistency = ReadConsistency.Strong };
        foreach (var context in new[] { db, other }) context.UseSyncSession(session);
        (await ReadAsync(db, ReadConsistency.Eventual)).ShouldBe((0, RouteReason.Replica));
        db.SetReadConsistency(ReadConsistency.Eventual);
        (await ReadAsync(db, null)).ShouldBe((0, RouteReason.Replica));
        (await ReadAsync(db, ReadConsistency.Strong)).ShouldBe((7, RouteReason.NotFresh));
        db.SetReadConsistency(null);
        (await ReadAsync(db, null)).ShouldBe((7, RouteReason.NotFresh));
        (await ReadAsync(other, null)).ShouldBe((7, RouteReason.NotFresh));
    }

    /// <summary>Where scopes aren't validated, the root provider gives a scoped session to whoever asks it: one for all users.</summary>
    [Theory]
    [InlineData("pool")]
    [InlineData("pooled factory")]
    [InlineData("factory")]
    public async Task Contexts_that_know_the_root_provider_only_share_no_session_of_its(string kind)
    {
        await using var node = await NodeAsync();
        void Plug(DbContextOptionsBuilder o) => o.OfManyKinds().UseNpgsql(node.ConnectionString).UseDbSync(node.DataPath, d => d.WaitUpTo(TimeSpan.FromMilliseconds(20)));
        var collection = new ServiceCollection().AddScoped<DbSyncSession>();
        collection = kind switch
        {
            "pool" => collection.AddDbContextPool<CounterContext>(Plug),
            "pooled factory" => collection.AddPooledDbContextFactory<CounterContext>(Plug),
            _ => collection.AddDbContextFactory<CounterContext>(Plug),
        };
        await using var services = collection.BuildServiceProvider(validateScopes: false);
        await using var writing = services.CreateAsyncScope();
        await using var reading = services.CreateAsyncScope();
        CounterContext Of(AsyncServiceScope scope) => kind == "pool"
            ? scope.ServiceProvider.GetRequiredService<CounterContext>()
            : scope.ServiceProvider.GetRequiredService<IDbContextFactory<CounterContext>>().CreateDbContext();
        await using var writer = Of(writing);
        await using var reader = Of(reading);
        (await ReadAsync(reader, null)).ShouldBe((0, RouteReason.Replica));
        await node.StopAsync();
        await writer.Counters.Where(c => c.Id == 1).ExecuteUpdateAsync(s => s.SetProperty(c => c.Value, 3), Cancel);
        (await ReadAsync(reader, null)).ShouldBe((0, RouteReason.Replica)); // another user's write: nothing to wait for
        (await ReadAsync(writer, null)).ShouldBe((3, RouteReason.NotFresh));
    }

    [Fact]
    public async Task One_session_for_the_whole_application_is_one_for_pooled_contexts_too()
    {
        var session = new DbSyncSession();
        await using var services = new ServiceCollection().AddSingleton(session)
            .AddPooledDbContextFactory<CounterContext>(o => o.OfManyKinds().UseNpgsql("Host=nowhere").UseDbSync("nowhere")).BuildServiceProvider(validateScopes: true);
        await using var db = await services.GetRequiredService<IDbContextFactory<CounterContext>>().CreateDbContextAsync(Cancel);
        db.GetService<EntityFrameworkCore.Infrastructure.DbSyncScope>().Session.ShouldBeSameAs(session);
    }

    [Fact]
    public async Task A_value_that_only_PostgreSQL_represents_sends_its_column_to_the_primary_as_soon_as_it_is_there()
    {
        await using var node = await NodeUnderTest.CreateAsync(
            await shop.CreateDatabaseAsync(), "CREATE TABLE prices (id int PRIMARY KEY, amount numeric NOT NULL); INSERT INTO prices VALUES (1, 2.50)", "prices", Cancel);
        node.Run();
        await node.CatchUpAsync();
        await using var db = PriceContext.On(node);
        db.Prices.GetRoute().Reason.ShouldBe(RouteReason.Replica);
        await node.ExecuteAsync("INSERT INTO prices VALUES (2, 'NaN')");
        await node.CatchUpAsync();
        db.Prices.GetRoute().Reason.ShouldBe(RouteReason.PrimaryOnlyColumn);
        db.Prices.Select(p => p.Id).GetRoute().Reason.ShouldBe(RouteReason.Replica); // the column isn't asked for
    }

    [Fact]
    public async Task A_table_under_row_level_security_is_the_primarys()
    {
        await using var node = await NodeAsync();
        await node.ExecuteAsync("CREATE ROLE tenant LOGIN; GRANT SELECT ON counters TO tenant; ALTER TABLE counters ENABLE ROW LEVEL SECURITY");
        var asTenant = new Npgsql.NpgsqlConnectionStringBuilder(node.ConnectionString) { Username = "tenant" }.ConnectionString;
        await using var db = new CounterContext(new DbContextOptionsBuilder<CounterContext>().OfManyKinds().UseNpgsql(asTenant).UseDbSync(node.DataPath).Options);
        db.Counters.AsNoTracking().GetRoute().Reason.ShouldBe(RouteReason.Rights);
        (await db.Counters.AsNoTracking().CountAsync(Cancel)).ShouldBe(0);
    }

    [Fact]
    public async Task Rights_that_change_while_the_application_runs_are_followed_with_the_log()
    {
        await using var node = await NodeAsync();
        await node.ExecuteAsync("CREATE ROLE guest LOGIN; GRANT SELECT ON counters TO guest");
        var asGuest = new Npgsql.NpgsqlConnectionStringBuilder(node.ConnectionString) { Username = "guest" }.ConnectionString;
        await using var db = new CounterContext(new DbContextOptionsBuilder<CounterContext>().OfManyKinds().UseNpgsql(asGuest).UseDbSync(node.DataPath, o => o.WaitUpTo(Long)).Options);
        var query = db.Counters.AsNoTracking().WithConsistency(ReadConsistency.Eventual);
        query.GetRoute().Reason.ShouldBe(RouteReason.Replica);
        foreach (var (change, route) in new[]
        {
            ("ALTER TABLE counters ENABLE ROW LEVEL SECURITY", RouteReason.Rights), ("ALTER ROLE guest BYPASSRLS", RouteReason.Replica),
            ("REVOKE SELECT ON counters FROM guest", RouteReason.Rights), ("GRANT SELECT ON counters TO guest", RouteReason.Replica),
        })
        {
            await node.ExecuteAsync(change);
            await Eventually.Async(() => query.GetRoute().Reason == route, TimeSpan.FromSeconds(15), () => change, Cancel); // far less than a minute
        }
    }

    [Fact]
    public async Task The_applications_role_moves_the_replica_on_by_a_function_alone()
    {
        await using var node = await NodeAsync();
        node.Options = node.Options with { HeartbeatInterval = TimeSpan.FromHours(1) };
        await node.StopAsync();
        node.Run();
        await node.CatchUpAsync();
        await node.ExecuteAsync("CREATE ROLE writer LOGIN; GRANT USAGE ON SCHEMA dbsync TO writer; GRANT EXECUTE ON FUNCTION dbsync.nudge() TO writer");
        await node.ExecuteAsync("GRANT SELECT ON counters TO writer; CREATE TABLE elsewhere (id int); GRANT ALL ON elsewhere TO writer");
        var asWriter = new Npgsql.NpgsqlConnectionStringBuilder(node.ConnectionString) { Username = "writer" }.ConnectionString;
        await using var db = new CounterContext(new DbContextOptionsBuilder<CounterContext>().OfManyKinds().UseNpgsql(asWriter)
            .UseDbSync(node.DataPath, o => o.WaitUpTo(Long).LimitStaleness(null).ThrowOnFallback()).Options);
        await Eventually.Async(
            async _ =>
            {
                await db.Database.ExecuteSqlAsync($"SET synchronous_commit = off; INSERT INTO elsewhere VALUES (1)", Cancel);
                (await ReadAsync(db, ReadConsistency.Session)).ShouldBe((0, RouteReason.Replica));
                return (long)(await node.ScalarAsync("SELECT count(*) FROM dbsync.heartbeat WHERE node = 'readers'"))!;
            },
            readers => readers == 1, cancellationToken: Cancel); // the log may come first by itself
        (await Should.ThrowAsync<Npgsql.PostgresException>(() => db.Database.ExecuteSqlAsync($"UPDATE dbsync.heartbeat SET beat = 0", Cancel))).SqlState.ShouldBe("42501");
    }

    private static async Task<(long Value, RouteReason Route)> ReadAsync(CounterContext db, ReadConsistency? consistency)
    {
        var route = RouteReason.Failed;
        EntityFrameworkCore.Routing.RouteLog.Observer.Value = (reason, _) => route = reason;
        var counters = db.Counters.AsNoTracking();
        var value = await (consistency is { } level ? counters.WithConsistency(level) : counters).Where(c => c.Id == 1).Select(c => c.Value).SingleAsync(Cancel);
        return (value, route);
    }

    private async Task<NodeUnderTest> NodeAsync()
    {
        var node = await NodeUnderTest.CreateAsync(await shop.CreateDatabaseAsync(), CounterContext.Schema, "counters", Cancel);
        node.Run();
        await node.CatchUpAsync();
        return node;
    }

    private sealed class PriceContext(DbContextOptions<PriceContext> options) : DbContext(options)
    {
        public IQueryable<Price> Prices => Set<Price>().AsNoTracking();

        public static PriceContext On(NodeUnderTest node) => new(new DbContextOptionsBuilder<PriceContext>().OfManyKinds().UseNpgsql(node.ConnectionString)
            .UseDbSync(node.DataPath, o => o.WaitUpTo(Long)).Options);

        protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.Entity<Price>(b =>
        {
            b.ToTable("prices");
            b.Property(p => p.Id).HasColumnName("id");
            b.Property(p => p.Amount).HasColumnName("amount");
        });
    }

    private sealed class Price
    {
        public int Id { get; set; }

        public decimal Amount { get; set; }
    }
}
