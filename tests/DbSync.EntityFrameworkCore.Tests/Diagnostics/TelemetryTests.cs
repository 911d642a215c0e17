using System.Diagnostics;
using System.Diagnostics.Metrics;
using DbSync.EntityFrameworkCore.Tests.Shop;
using DbSync.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;

namespace DbSync.EntityFrameworkCore.Tests.Diagnostics;

/// <summary>What dashboards, alerts and settings of applications name: these stay as they are.</summary>
[Trait("Needs", "Server")]
public sealed class TelemetryTests(ShopFixture shop)
{
    private static readonly AsyncLocal<List<string>?> Mine = new(); // other tests measure too

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Queries_are_counted_by_who_answered_and_why()
    {
        await using var db = ShopFixture.Routed(await shop.GetAsync(), o => o.WaitUpTo(TimeSpan.FromSeconds(30)));
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, l) =>
            {
                if (instrument is { Meter.Name: "DbSync", Name: "dbsync.ef.queries" }) l.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((_, count, tags, _) =>
        {
            var named = tags.ToArray().ToDictionary(t => t.Key, t => t.Value);
            Mine.Value?.Add($"{count} {named["dbsync.route"]} {named["dbsync.reason"]}");
        });
        listener.Start();

        Mine.Value = [];
        (await db.Customers.CountAsync(Cancel)).ShouldBe(60);
        db.Customers.OrderBy(c => c.Id).First().Id.ShouldBe(1);
        (await db.Customers.UsePrimary().CountAsync(Cancel)).ShouldBe(60);
        await db.Customers.AsTracking().FirstAsync(c => c.Id == 1, Cancel);
        await db.Unpublished.CountAsync(Cancel);
        await db.Customers.Where(c => c.Id < 0).ExecuteDeleteAsync(Cancel);
        Mine.Value.ShouldBe(["1 replica Replica", "1 replica Replica", "1 primary UsePrimary", "1 primary Tracking", "1 primary NotReplicated", "1 primary Statement"]);
    }

    [Fact]
    public async Task A_read_is_a_span_of_the_request_that_asked_with_its_position()
    {
        await using var db = ShopFixture.Routed(await shop.GetAsync(), o => o.WaitUpTo(TimeSpan.FromSeconds(30)));
        using var request = new Activity("request").Start();
        var spans = new List<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "DbSync",
            Sample = (ref _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = activity =>
            {
                if (activity.ParentId == request.Id) spans.Add(activity);
            },
        };
        ActivitySource.AddActivityListener(listener);

        var customers = await db.Customers.UseReplica().ToListAsync(Cancel);
        await db.Customers.UsePrimary().CountAsync(Cancel);
        customers.Count.ShouldBe(60);
        var span = spans.ShouldHaveSingleItem();
        span.OperationName.ShouldBe("dbsync.read");
        Lsn.Parse((string)span.GetTagItem("dbsync.position")!).ShouldBeGreaterThan(Lsn.Zero);
        span.Duration.ShouldBeGreaterThan(TimeSpan.Zero);
    }

    [Theory]
    [InlineData(7001, "Microsoft.EntityFrameworkCore.Query.DbSync.QueryFellBack")]
    [InlineData(7002, "Microsoft.EntityFrameworkCore.Query.DbSync.ShadowDiffers")]
    public void Event_ids_stay_as_they_are(int id, string name)
    {
        var events = new[] { DbSyncEventId.QueryFellBack, DbSyncEventId.ShadowDiffers };
        events.Single(e => e.Id == id).Name.ShouldBe(name);
    }

    /// <summary>By its number, as a settings file has it; once for each shape, whatever the context.</summary>
    [Fact]
    public async Task A_fallback_is_logged_thrown_or_ignored_as_the_context_says()
    {
        var node = await shop.GetAsync();
        using var messages = new Messages();
        async Task<int> AskAsync(Action<Microsoft.EntityFrameworkCore.Diagnostics.WarningsConfigurationBuilder>? warnings)
        {
            var options = ShopFixture.Options(node.ConnectionString).UseLoggerFactory(messages.Factory).UseDbSync(node.DataPath);
            if (warnings is not null) options.ConfigureWarnings(warnings);
            await using var db = new ShopContext(options.Options);
            for (var time = 0; time < 3; time++) await db.Unpublished.Where(u => u.Name != "nobody").CountAsync(Cancel);
            return messages.Take(7001, out var level) == 0 ? 0 : (int)level;
        }
        (await AskAsync(null)).ShouldBe((int)LogLevel.Information);
        (await AskAsync(w => w.Log((7001, LogLevel.Error)))).ShouldBe((int)LogLevel.Error);
        (await AskAsync(w => w.Ignore(7001))).ShouldBe(0);
        (await Should.ThrowAsync<InvalidOperationException>(() => AskAsync(w => w.Throw(7001)))).Message.ShouldContain("NotReplicated");
    }

    private sealed class Messages : ILoggerProvider, ILogger
    {
        private readonly List<(int Id, LogLevel Level)> _seen = [];

        public Messages() => Factory = LoggerFactory.Create(b => b.AddProvider(this).SetMinimumLevel(LogLevel.Debug));

        public ILoggerFactory Factory { get; }

        /// <summary>How often an event came since the last time, once as a rule, and as what.</summary>
        public int Take(int id, out LogLevel level)
        {
            var found = _seen.Where(s => s.Id == id).ToList();
            _seen.Clear();
            found.Count.ShouldBeLessThanOrEqualTo(1, "a shape is reported once");
            level = found.Count == 0 ? LogLevel.None : found[0].Level;
            return found.Count;
        }

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => _seen.Add((eventId.Id, logLevel));

        public void Dispose()
        {
            // The factory disposes this one; it holds nothing.
        }
    }
}
