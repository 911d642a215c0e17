using DbSync.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace DbSync.EntityFrameworkCore.Tests.Plugging;

/// <summary>A small database for contexts that are plugged in each in another way, with a node beside it.</summary>
public sealed class Library : IAsyncLifetime
{
    private const string Schema =
        """
        CREATE TABLE authors (id int PRIMARY KEY, full_name text NOT NULL);
        CREATE TABLE books (id int PRIMARY KEY, author_id int NOT NULL REFERENCES authors, shelf int NOT NULL, title text NOT NULL);
        CREATE TABLE visits (id int PRIMARY KEY, at timestamptz NOT NULL, day date NOT NULL, local timestamp NOT NULL, clock time NOT NULL, span interval NOT NULL);
        INSERT INTO authors SELECT g, 'Author ' || g FROM generate_series(1, 3) g;
        INSERT INTO books SELECT g, 1 + g % 3, g % 2, 'Book ' || g FROM generate_series(1, 12) g;
        INSERT INTO visits SELECT g, '2024-02-29 23:59:59.123456Z'::timestamptz + g * interval '1 day', date '2024-02-28' + g, timestamp '2024-05-05 05:05' + g * interval '1 hour',
            time '10:00' + g * interval '1 minute', g * interval '90 seconds' FROM generate_series(1, 5) g;
        """;

    private readonly PostgresFixture _postgres = new();
    private readonly SemaphoreSlim _starting = new(1, 1);
    private NodeUnderTest? _node;

    public async Task<NodeUnderTest> GetAsync()
    {
        await _starting.WaitAsync();
        try
        {
            if (_node is not null) return _node;
            _node = await NodeUnderTest.CreateAsync(await _postgres.CreateDatabaseAsync(), Schema, "authors, books, visits", CancellationToken.None);
            _node.Run();
            await _node.CatchUpAsync();
            return _node;
        }
        finally
        {
            _starting.Release();
        }
    }

    /// <summary>Plugged in, so that a query which isn't routed throws.</summary>
    public static T Plug<T>(T options, NodeUnderTest node, Action<DbSyncOptionsBuilder>? configure = null)
        where T : DbContextOptionsBuilder
    {
        options.UseNpgsql(node.ConnectionString).UseSnakeCaseNamingConvention()
            .ConfigureWarnings(w => w.Ignore(CoreEventId.ManyServiceProvidersCreatedWarning)) // as many kinds of contexts as here are in no application
            .UseDbSync(node.DataPath, o =>
        {
            o.WaitUpTo(TimeSpan.FromSeconds(30)).ThrowOnFallback();
            configure?.Invoke(o);
        });
        return options;
    }

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        if (_node is not null) await _node.DisposeAsync();
        await _postgres.DisposeAsync();
        _starting.Dispose();
    }
}
