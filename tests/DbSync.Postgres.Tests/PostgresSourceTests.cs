using DbSync.Testing;

namespace DbSync.Postgres.Tests;

/// <summary>The contract of a change source, on the server that is installed.</summary>
[Trait("Needs", "Server")]
public sealed class PostgresSourceTests(PostgresFixture postgres) : ChangeSourceContract
{
    private readonly TemporaryDirectory _directory = new();

    [Fact]
    public async Task A_transaction_id_is_newer_than_those_of_everything_that_runs()
    {
        using var stream = await StartAsync();
        await using var running = await ConnectAsync();
        await RunAsync(running, "BEGIN; INSERT INTO t VALUES (1, 'v')");
        var source = (PostgresSource)Create(ConnectionString, Slot);
        await using (source)
        {
            var newest = await source.NextTransactionAsync(Cancel);
            var xid = ulong.Parse(await ScalarAsync("SELECT backend_xid::text FROM pg_stat_activity WHERE datname = current_database() AND backend_xid IS NOT NULL"));
            ((uint)newest).ShouldBeGreaterThan((uint)xid);
        }
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _directory.Dispose();
    }

    protected override Task<PostgresServer> ServerAsync() => postgres.GetServerAsync(Cancel);

    protected override Task<PostgresServer> OwnServerAsync() => PostgresServer.StartAsync(cancellationToken: Cancel);

    internal override IChangeSource Create(string connectionString, string slot) => Source(connectionString, slot, _directory);

    internal static PostgresSource Source(string connectionString, string slot, TemporaryDirectory directory) => new(
        new PrimaryOptions
        {
            ConnectionString = connectionString, Publication = Publication, Slot = slot, PartBytesMax = 64 << 10, SpillDirectory = directory["spill"],
        }, TimeProvider.System);
}

/// <summary>The same on the newest server.</summary>
[Trait("Needs", "Server")]
public sealed class PostgresSource18Tests(Postgres18Fixture postgres) : ChangeSourceContract, IClassFixture<Postgres18Fixture>
{
    private readonly TemporaryDirectory _directory = new();

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _directory.Dispose();
    }

    protected override Task<PostgresServer> ServerAsync()
    {
        Assert.SkipUnless(Postgres18Fixture.IsAvailable, Postgres18Fixture.SkipReason);
        return postgres.GetServerAsync(Cancel);
    }

    protected override Task<PostgresServer> OwnServerAsync()
    {
        Assert.SkipUnless(Postgres18Fixture.IsAvailable, Postgres18Fixture.SkipReason);
        return PostgresServer.StartAsync(new PostgresServerOptions { BinDirectory = PostgresBinaries.Find18() }, Cancel);
    }

    internal override IChangeSource Create(string connectionString, string slot) => PostgresSourceTests.Source(connectionString, slot, _directory);
}
