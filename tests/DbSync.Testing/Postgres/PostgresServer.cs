using System.Globalization;
using Npgsql;

namespace DbSync.Testing;

/// <summary>
/// A throw-away PostgreSQL server with <c>wal_level = logical</c>, on a free port of 127.0.0.1. It ends, and its files go, when it is
/// disposed or when the test process ends in any way.
/// </summary>
public sealed class PostgresServer : IAsyncDisposable
{
    private static int _databases;

    private readonly IPostgresHost _host;

    private PostgresServer(IPostgresHost host) => _host = host;

    /// <summary>The superuser <c>postgres</c> in the database <c>postgres</c>.</summary>
    public string ConnectionString => ConnectionStringFor("postgres");

    public int Port => _host.Port;

    /// <summary>The server's own version.</summary>
    public Version Version { get; private set; } = new();

    /// <summary>The folder of its programs.</summary>
    /// <exception cref="NotSupportedException">The server runs in a container.</exception>
    public string BinDirectory => _host.BinDirectory ?? throw new NotSupportedException("The server runs in a container.");

    /// <summary>The postmaster's process id, 0 while it is down or in a container.</summary>
    public int ProcessId => _host.ProcessId ?? 0;

    /// <summary>The last lines of its log.</summary>
    public string LogTail => _host.LogTail;

    /// <summary>Starts a server of its own; tests that need no settings of their own share the one of <see cref="PostgresFixture"/>.</summary>
    public static async Task<PostgresServer> StartAsync(PostgresServerOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new PostgresServerOptions();
        IPostgresHost host = (options.BinDirectory ?? PostgresBinaries.Find()) is { } binDirectory
            ? await LocalPostgres.StartNewAsync(binDirectory, options, cancellationToken).ConfigureAwait(false)
            : await ContainerPostgres.StartNewAsync(options, cancellationToken).ConfigureAwait(false);
        var server = new PostgresServer(host);
        try
        {
            await using var connection = await server.OpenAsync(cancellationToken).ConfigureAwait(false);
            server.Version = connection.PostgreSqlVersion;
            return server;
        }
        catch
        {
            await server.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>A connection string for a database and a role of this server.</summary>
    public string ConnectionStringFor(string database, string user = "postgres", string? password = null) =>
        new NpgsqlConnectionStringBuilder
        {
            Host = _host.HostName,
            Port = Port,
            Database = database,
            Username = user,
            Password = password,
            SslMode = SslMode.Disable,
            GssEncryptionMode = GssEncryptionMode.Disable,
        }.ConnectionString;

    /// <summary>Creates an empty database (under a unique name unless one is given) and returns the superuser's connection string for it.</summary>
    public async Task<string> CreateDatabaseAsync(string? name = null, CancellationToken cancellationToken = default)
    {
        name ??= string.Create(CultureInfo.InvariantCulture, $"test_{Interlocked.Increment(ref _databases)}");
        await ExecuteAsync($"CREATE DATABASE {Quote(name)}", cancellationToken: cancellationToken).ConfigureAwait(false);
        return ConnectionStringFor(name);
    }

    /// <summary>Drops the replication slots of a connection's database, whoever follows them; a server that is down has none to spare.</summary>
    public static async Task DropSlotsAsync(string connectionString)
    {
        try
        {
            await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false }.ConnectionString);
            await connection.OpenAsync().ConfigureAwait(false);
            foreach (var sql in new[]
            {
                "SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots WHERE database = current_database() AND active_pid IS NOT NULL",
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()",
            })
            {
                await using var command = new NpgsqlCommand(sql, connection);
                await command.ExecuteNonQueryAsync().ConfigureAwait(false);
            }
        }
        catch (NpgsqlException)
        {
            // It is being torn down: its slots go with it.
        }
    }

    /// <summary>Drops a database with its replication slots, whoever is connected to it: slots left behind would use up the server's.</summary>
    public async Task DropDatabaseAsync(string name, CancellationToken cancellationToken = default)
    {
        await using var connection = await OpenAsync(cancellationToken).ConfigureAwait(false);
        await using var command = new NpgsqlCommand(
            """
            SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots WHERE database = $1 AND active_pid IS NOT NULL;
            """,
            connection) { Parameters = { new() { Value = name } } };
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        command.CommandText = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = $1";
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        command.CommandText = $"DROP DATABASE IF EXISTS {Quote(name)} WITH (FORCE)";
        command.Parameters.Clear();
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Runs statements as the superuser, in <paramref name="database"/>, each in a transaction of its own only when there is just one.</summary>
    public async Task ExecuteAsync(string sql, string database = "postgres", CancellationToken cancellationToken = default)
    {
        await using var connection = await OpenAsync(cancellationToken, database).ConfigureAwait(false);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Stops it and starts it on the same port and data.</summary>
    public async Task RestartAsync(ShutdownMode mode = ShutdownMode.Fast, CancellationToken cancellationToken = default)
    {
        await StopAsync(mode, cancellationToken).ConfigureAwait(false);
        await StartAgainAsync(cancellationToken).ConfigureAwait(false);
    }

    public Task StopAsync(ShutdownMode mode = ShutdownMode.Fast, CancellationToken cancellationToken = default) =>
        _host.StopAsync(mode, cancellationToken);

    public Task StartAgainAsync(CancellationToken cancellationToken = default) => _host.StartAsync(cancellationToken);

    /// <summary>kill -9 of the postmaster and all its processes.</summary>
    public Task KillAsync(CancellationToken cancellationToken = default) => _host.KillAsync(cancellationToken);

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    private async Task<NpgsqlConnection> OpenAsync(CancellationToken cancellationToken, string database = "postgres")
    {
        // Not pooled: a pooled connection would outlive a restart of the server and fail its next user.
        var settings = new NpgsqlConnectionStringBuilder(ConnectionStringFor(database)) { Pooling = false };
        var connection = new NpgsqlConnection(settings.ConnectionString);
        await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
        return connection;
    }

    private static string Quote(string name) => "\"" + name.Replace("\"", "\"\"", StringComparison.Ordinal) + "\"";
}
