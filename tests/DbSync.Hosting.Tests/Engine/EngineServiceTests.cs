using System.Diagnostics.Metrics;
using DbSync.EntityFrameworkCore;
using DbSync.Postgres;
using DbSync.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Npgsql;

namespace DbSync.Hosting.Tests.Engine;

[Trait("Needs", "Server")]
public sealed class EngineServiceTests(PostgresFixture postgres) : IAsyncDisposable
{
    private readonly TemporaryDirectory _data = new();
    private string? _database;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_application_sets_up_copies_reads_its_writes_and_drains()
    {
        var database = await DatabaseAsync();
        await using var app = new AppUnderTest(database, _data.Path, b => b.AllowSetup());
        await app.StartAsync();
        await app.RoutedAsync();
        await using (var db = app.Context())
        {
            db.Notes.Add(new Note { Id = 101, Text = "new" });
            await db.SaveChangesAsync(Cancel);
            (await db.Notes.AsNoTracking().CountAsync(Cancel)).ShouldBe(101);
        }
        await Eventually.Async(async _ => (await app.HealthAsync()).Status, s => s == HealthStatus.Healthy, cancellationToken: Cancel);
        Gauges().ShouldContainKey("dbsync.node.lag");

        await ExecuteAsync(database, "INSERT INTO notes SELECT g, 'more' FROM generate_series(200, 20000) g");
        await app.StopAsync();
        app.Log.Has(1206).ShouldBeFalse();
        var status = LiveStatus.TryLoad(_data.Path)!;
        status.Pipeline.ShouldBe(PipelineState.Stopped);
        status.AcknowledgedLsn.ShouldBe(status.AppliedLsn);
        Gauges().ShouldNotContainKey("dbsync.node.lag");
        await using var after = app.Context();
        (await after.Notes.AsNoTracking().WithConsistency(ReadConsistency.Strong).CountAsync(Cancel)).ShouldBe(101 + 19801); // by whom, doesn't matter
    }

    [Fact]
    public async Task Without_a_setup_the_application_serves_from_the_primary_until_somebody_makes_it()
    {
        var database = await DatabaseAsync();
        await using var app = new AppUnderTest(database, _data.Path);
        await app.StartAsync();
        await using (var db = app.Context())
        {
            (await db.Notes.AsNoTracking().CountAsync(Cancel)).ShouldBe(100);
            db.Notes.AsNoTracking().GetRoute().Reason.ShouldBe(RouteReason.NoReplica);
        }
        await Eventually.Async(() => app.Log.Has(1204), cancellationToken: Cancel);
        (await app.HealthAsync()).Status.ShouldBe(HealthStatus.Degraded);

        await using (var primary = new Primary(database))
            await new NodeSetup(primary).RunAsync(new SetupRequest { Replica = "main", DataDirectory = _data.Path }, dryRun: false, Cancel);
        await app.RoutedAsync();
    }

    [Fact]
    public async Task The_application_starts_before_its_primary()
    {
        await using var server = await PostgresServer.StartAsync(new PostgresServerOptions(), Cancel);
        var database = await server.CreateDatabaseAsync(cancellationToken: Cancel);
        await ExecuteAsync(database, NoteContext.Schema);
        await server.StopAsync(cancellationToken: Cancel);
        NpgsqlConnection.ClearAllPools();
        await using var app = new AppUnderTest(database, _data.Path, b => b.AllowSetup());
        await app.StartAsync();
        await Eventually.Async(() => app.Log.Has(1203), cancellationToken: Cancel);
        await server.StartAgainAsync(Cancel);
        await app.RoutedAsync();
        await app.StopAsync();
    }

    [Fact]
    public async Task A_second_process_reads_and_takes_over_when_the_first_ends()
    {
        var database = await DatabaseAsync();
        await using var second = new AppUnderTest(database, _data.Path, b => b.AllowSetup());
        await using (var first = new AppUnderTest(database, _data.Path, b => b.AllowSetup()))
        {
            await first.StartAsync();
            await first.RoutedAsync();
            await second.StartAsync();
            await Eventually.Async(() => second.Log.Has(1202), cancellationToken: Cancel);
            await second.RoutedAsync();
            second.Log.Has(1201).ShouldBeFalse();
        }
        await Eventually.Async(() => second.Log.Has(1201), cancellationToken: Cancel);
        await ExecuteAsync(database, "UPDATE notes SET text = 'after' WHERE id = 1");
        await Eventually.Async(
            async _ =>
            {
                await using var db = second.Context();
                return await db.Notes.AsNoTracking().WithConsistency(ReadConsistency.Eventual).UseReplica().Where(n => n.Id == 1).Select(n => n.Text).SingleAsync(Cancel);
            },
            text => text == "after", cancellationToken: Cancel);
    }

    [Fact]
    public async Task A_process_without_an_engine_only_reads()
    {
        var database = await DatabaseAsync();
        await using var keeper = new AppUnderTest(database, _data.Path, b => b.AllowSetup());
        await using var reader = new AppUnderTest(database, _data.Path, b => b.WithoutEngine());
        await reader.StartAsync();
        await keeper.StartAsync();
        await reader.RoutedAsync();
        await Eventually.Async(async _ => (await reader.HealthAsync()).Status, s => s == HealthStatus.Healthy, cancellationToken: Cancel);
    }

    [Fact]
    public async Task Another_replicas_directory_is_an_error_and_not_the_applications_end()
    {
        var database = await DatabaseAsync();
        await using (var first = new AppUnderTest(database, _data.Path, b => b.AllowSetup()))
        {
            await first.StartAsync();
            await first.RoutedAsync();
        }
        await using var app = new AppUnderTest(database, _data.Path, b => b.UseReplica("other"));
        await app.StartAsync();
        await Eventually.Async(() => app.Log.Has(1204), cancellationToken: Cancel);
        await using var db = app.Context();
        (await db.Notes.AsNoTracking().CountAsync(Cancel)).ShouldBe(100);
    }

    public async ValueTask DisposeAsync()
    {
        _data.Dispose();
        if (_database is not null) await PostgresServer.DropSlotsAsync(_database);
    }

    private static Dictionary<string, double> Gauges()
    {
        var seen = new Dictionary<string, double>(StringComparer.Ordinal);
        using var listener = new MeterListener { InstrumentPublished = (i, l) => l.EnableMeasurementEvents(i) };
        listener.SetMeasurementEventCallback<double>((i, value, _, _) => seen[i.Name] = value);
        listener.Start();
        listener.RecordObservableInstruments();
        return seen;
    }

    private async Task<string> DatabaseAsync()
    {
        _database = await postgres.CreateDatabaseAsync(Cancel);
        await ExecuteAsync(_database, NoteContext.Schema);
        return _database;
    }

    private static async Task ExecuteAsync(string database, string sql)
    {
        await using var connection = new NpgsqlConnection(database);
        await connection.OpenAsync(Cancel);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(Cancel);
    }
}
