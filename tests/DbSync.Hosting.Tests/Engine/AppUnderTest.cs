using DbSync.EntityFrameworkCore;
using DbSync.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace DbSync.Hosting.Tests.Engine;

/// <summary>An application with the engine inside, on the generic host.</summary>
internal sealed class AppUnderTest : IAsyncDisposable
{
    private readonly IHost _host;

    public AppUnderTest(string connectionString, string dataDirectory, Action<DbSyncBuilder>? configure = null)
    {
        var builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Logging.ClearProviders().AddProvider(Log);
        builder.Services.AddDbSync(b =>
        {
            b.UsePrimary(connectionString).UseDataDirectory(dataDirectory)
                .Configure(o => (o.RetryDelay, o.RetryDelayMax, o.TakeOverInterval) = (TimeSpan.FromMilliseconds(50), TimeSpan.FromMilliseconds(200), TimeSpan.FromMilliseconds(50)));
            configure?.Invoke(b);
        });
        builder.Services.AddHealthChecks().AddDbSync();
        builder.Services.AddDbContextFactory<NoteContext>((services, o) => o.UseNpgsql(connectionString).UseDbSync(services));
        _host = builder.Build();
    }

    public LogRecorder Log { get; } = new();

    public NoteContext Context() => _host.Services.GetRequiredService<IDbContextFactory<NoteContext>>().CreateDbContext();

    public Task StartAsync() => _host.StartAsync(TestContext.Current.CancellationToken);

    public Task StopAsync() => _host.StopAsync(TestContext.Current.CancellationToken);

    public async Task<HealthReport> HealthAsync() =>
        await _host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(TestContext.Current.CancellationToken);

    public Task RoutedAsync() => Eventually.Async(
        _ =>
        {
            using var db = Context();
            return Task.FromResult(db.Notes.AsNoTracking().WithConsistency(ReadConsistency.Eventual).GetRoute());
        },
        route => route.IsReplica, TimeSpan.FromSeconds(60), cancellationToken: TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _host.Dispose();
    }
}

/// <summary>The ids of what was logged.</summary>
internal sealed class LogRecorder : ILoggerProvider, ILogger
{
    private readonly Lock _gate = new();
    private readonly List<(int Id, string Text)> _events = [];

    public bool Has(int id)
    {
        lock (_gate) return _events.Any(e => e.Id == id);
    }

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        lock (_gate) _events.Add((eventId.Id, formatter(state, exception)));
    }

    public void Dispose()
    {
        // Nothing is held.
    }
}

internal sealed class NoteContext(DbContextOptions<NoteContext> options) : DbContext(options)
{
    public const string Schema = "CREATE TABLE notes (id int PRIMARY KEY, text text NOT NULL); INSERT INTO notes SELECT g, 'note ' || g FROM generate_series(1, 100) g;";

    public DbSet<Note> Notes => Set<Note>();

    protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.Entity<Note>(b =>
    {
        b.ToTable("notes");
        b.Property(n => n.Id).HasColumnName("id").ValueGeneratedNever();
        b.Property(n => n.Text).HasColumnName("text");
    });
}

internal sealed class Note
{
    public int Id { get; set; }

    public required string Text { get; set; }
}
