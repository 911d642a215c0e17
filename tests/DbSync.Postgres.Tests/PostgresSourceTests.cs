using DbSync.Testing;
using Npgsql;

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

    [Fact]
    public async Task A_stream_that_opens_when_its_source_is_gone_leaves_the_data_directory_alone()
    {
        (await StartAsync()).Dispose(); // the slot is there
        var start = Lsn.Parse(await ScalarAsync($"SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = '{Slot}'"));
        using var directory = new TemporaryDirectory();
        var address = new NpgsqlConnectionStringBuilder(ConnectionString);
        await using var proxy = FaultProxy.Before(address.Port);
        (address.Host, address.Port) = ("127.0.0.1", proxy.Port);
        proxy.Delay(TimeSpan.FromMilliseconds(50)); // so that the walsender's connection takes a while
        using var stop = new CancellationTokenSource();
        var source = Source(address.ConnectionString, Slot, directory);
        var opening = source.OpenAsync(start, stop.Token);
        await Eventually.Async(() => proxy.Accepted > 1 || opening.IsCompleted); // the first looks at the slot
        proxy.Stall();
        await stop.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(opening);
        await source.DisposeAsync();
        Directory.Exists(directory["spill"]).ShouldBeFalse("the stream was open before it was told to stop");
        proxy.Mend();
        await Eventually.Async(() => proxy.Ended == proxy.Accepted);
        Directory.Exists(directory["spill"]).ShouldBeFalse();
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
