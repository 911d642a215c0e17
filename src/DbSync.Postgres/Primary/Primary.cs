using System.Net;
using DbSync.Postgres.Types;
using Npgsql;

namespace DbSync.Postgres;

/// <summary>Connections to the primary, all with the same pinned session settings.</summary>
internal sealed class Primary : IAsyncDisposable
{
    private readonly NpgsqlDataSource _dataSource;

    public Primary(string connectionString)
    {
        ConnectionString = Prepare(connectionString);
        _dataSource = new NpgsqlDataSourceBuilder(ConnectionString).Build();
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

    public ValueTask DisposeAsync() => _dataSource.DisposeAsync();

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
        if (!connectionString.Contains("ssl", StringComparison.OrdinalIgnoreCase) && !IsLocal(builder.Host)) builder.SslMode = SslMode.VerifyFull;
        SessionSettings.Pin(builder);
        builder.ApplicationName ??= "dbsync";
        builder.Enlist = false;
        builder.IncludeErrorDetail = false;
        builder.KeepAlive = 0;
        return builder.ConnectionString;
    }

    /// <summary>Whether a host is this machine: loopback or a socket in the file system.</summary>
    public static bool IsLocal(string? host) =>
        host is null or "localhost" || host.StartsWith('/') || host.StartsWith('@') || (IPAddress.TryParse(host, out var address) && IPAddress.IsLoopback(address));
}
