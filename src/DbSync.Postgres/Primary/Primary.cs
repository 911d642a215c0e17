using System.Data;
using System.Data.Common;
using System.Net;
using DbSync.Postgres.Types;
using Npgsql;

namespace DbSync.Postgres;

/// <summary>Connections to the primary, all with the same pinned session settings.</summary>
internal sealed class Primary : IAsyncDisposable
{
    private const int TcpKeepAliveSeconds = 5;
    private readonly NpgsqlDataSource _dataSource;
    private readonly NpgsqlDataSource _blocking;

    public Primary(string connectionString)
    {
        ConnectionString = Prepare(connectionString);
        _dataSource = new NpgsqlDataSourceBuilder(ConnectionString).Build();
        _blocking = new NpgsqlDataSourceBuilder(PlannedOnce(ConnectionString)).ConfigureTypeLoading(types => types.EnableTypeLoading(false)).Build();
    }

    /// <summary>With the session settings and without what must not be shared by a replication connection.</summary>
    public string ConnectionString { get; }

    /// <summary>Opens a connection.</summary>
    /// <exception cref="DbSyncException">DBS2001 unreachable, DBS2008 refused.</exception>
    public async Task<NpgsqlConnection> OpenAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await _dataSource.OpenConnectionAsync(cancellationToken);
        }
        catch (Exception exception) when (PrimaryErrors.TryTranslate(exception) is { } translated)
        {
            throw translated;
        }
    }

    /// <summary>Runs something on a connection of its own, with the driver's errors translated.</summary>
    public async Task<T> UseAsync<T>(Func<NpgsqlConnection, Task<T>> action, CancellationToken cancellationToken)
    {
        await using var connection = await OpenAsync(cancellationToken);
        try
        {
            return await action(connection);
        }
        catch (Exception exception) when (PrimaryErrors.TryTranslate(exception) is { } translated)
        {
            throw translated;
        }
    }

    /// <summary>
    /// Runs something on the calling thread, which may block, and on a connection that must not be used asynchronously: see
    /// <see cref="BlockingSocket"/>. The driver knows the common types there and has not asked the database for its own.
    /// </summary>
    /// <exception cref="DbSyncException">The driver's errors, translated.</exception>
    public T Block<T>(Func<NpgsqlConnection, T> action, CancellationToken cancellationToken = default)
    {
        try
        {
            using var connection = _blocking.OpenConnection();
            BlockingSocket.Make(NpgsqlWire.SocketOf(connection));
            using var cutting = cancellationToken.Register(() => NpgsqlWire.Cut(connection));
            try
            {
                return action(connection);
            }
            catch (Exception exception) when (exception.GetType() == typeof(Exception) && connection.State != ConnectionState.Open)
            {
                // What the driver throws when it has lost its place, as it may after a statement that was cancelled while it was being planned.
                throw PrimaryErrors.Unreachable(exception);
            }
        }
        catch (Exception exception) when (cancellationToken.IsCancellationRequested && exception is not OperationCanceledException)
        {
            throw new OperationCanceledException("The connection was cut because nobody waits for it any more.", exception, cancellationToken);
        }
        catch (Exception exception) when (PrimaryErrors.TryTranslate(exception) is { } translated)
        {
            throw translated;
        }
    }

    /// <summary>Opens a connection for <see cref="Block{T}"/>'s kind of use that ends with its disposal, with whatever the session holds.</summary>
    public NpgsqlConnection OpenBlocking()
    {
        var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(ConnectionString) { Pooling = false }.ConnectionString);
        try
        {
            connection.Open();
            BlockingSocket.Make(NpgsqlWire.SocketOf(connection));
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>The same on a thread of its own; when cancelled it isn't waited for.</summary>
    /// <inheritdoc cref="Block{T}"/>
    public Task<T> BlockAsync<T>(Func<NpgsqlConnection, T> action, CancellationToken cancellationToken) =>
        Task.Factory.StartNew(() => Block(action, cancellationToken), cancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default)
            .WaitAsync(cancellationToken);

    /// <summary>Runs a statement that gives one value.</summary>
    public Task<T> ScalarAsync<T>(string sql, CancellationToken cancellationToken, params object?[] parameters) =>
        UseAsync(async connection =>
        {
            await using var command = Command(connection, sql, parameters);
            return (T)(await command.ExecuteScalarAsync(cancellationToken))!;
        }, cancellationToken);

    /// <summary>Runs a statement; returns the rows it changed.</summary>
    public Task<int> ExecuteAsync(string sql, CancellationToken cancellationToken, params object?[] parameters) =>
        UseAsync(async connection =>
        {
            await using var command = Command(connection, sql, parameters);
            return await command.ExecuteNonQueryAsync(cancellationToken);
        }, cancellationToken);

    public static NpgsqlCommand Command(NpgsqlConnection connection, string sql, params object?[] parameters)
    {
        var command = new NpgsqlCommand(sql, connection);
        foreach (var parameter in parameters) command.Parameters.Add(new NpgsqlParameter { Value = parameter ?? DBNull.Value });
        return command;
    }

    /// <summary>The transaction's snapshot, or the present one outside of any.</summary>
    public static TransactionSnapshot SnapshotOf(NpgsqlConnection connection)
    {
        using var command = Command(connection, "SELECT pg_catalog.pg_current_snapshot()::text");
        return TransactionSnapshot.Parse((string)command.ExecuteScalar()!);
    }

    public async ValueTask DisposeAsync()
    {
        await _dataSource.DisposeAsync();
        await _blocking.DisposeAsync();
    }

    private static string Prepare(string connectionString)
    {
        NpgsqlConnectionStringBuilder builder;
        try
        {
            builder = new NpgsqlConnectionStringBuilder(connectionString);
        }
        catch (ArgumentException)
        {
            throw new DbSyncException(
                ErrorCodes.InvalidOption, "The primary's connection string can't be read.", "Use Npgsql's form: Host=...;Database=...;Username=...");
        }
        if (!SaysSslMode(connectionString) && !IsLocal(builder.Host)) builder.SslMode = SslMode.VerifyFull;
        SessionSettings.Pin(builder);
        builder.ApplicationName ??= "dbsync";
        builder.Enlist = false;
        builder.IncludeErrorDetail = false;
        builder.KeepAlive = 0;
        builder.TcpKeepAlive = true; // a thread that blocks in a read has nothing else to tell a silent server from a vanished one
        if (builder.TcpKeepAliveTime == 0) (builder.TcpKeepAliveTime, builder.TcpKeepAliveInterval) = (TcpKeepAliveSeconds, TcpKeepAliveSeconds);
        return builder.ConnectionString;
    }

    /// <summary>By the setting itself: the letters may be in a name or a password.</summary>
    private static bool SaysSslMode(string connectionString)
    {
        var said = new DbConnectionStringBuilder { ConnectionString = connectionString };
        return said.ContainsKey("SSL Mode") || said.ContainsKey("SslMode");
    }

    /// <summary>What is read for every chunk, the catalog above all, takes longer to plan than to run: each connection plans it once.</summary>
    private static string PlannedOnce(string connectionString)
    {
        var builder = new NpgsqlConnectionStringBuilder(connectionString) { MaxAutoPrepare = 16, AutoPrepareMinUsages = 2 };
        builder.Options += " -c plan_cache_mode=force_generic_plan";
        return builder.ConnectionString;
    }

    /// <summary>Whether a host is this machine: loopback or a socket in the file system.</summary>
    public static bool IsLocal(string? host) =>
        host is null or "localhost" || host.StartsWith('/') || host.StartsWith('@') || (IPAddress.TryParse(host, out var address) && IPAddress.IsLoopback(address));
}
