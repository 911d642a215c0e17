using DbSync.Testing;
using Npgsql;

namespace DbSync.EndToEnd.Tests.Faults;

/// <summary>A node run by the real tool in a process of its own, so that it can be killed; with a journal of what it applied.</summary>
internal sealed class ToolNode : IAsyncDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly Dictionary<string, string?> _environment;
    private TestProcess? _process;

    private ToolNode(string connectionString)
    {
        ConnectionString = connectionString;
        _environment = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["DBSYNC_PRIMARY"] = connectionString,
            ["DBSYNC_DATA"] = _directory.Path,
            ["DBSYNC_JOURNAL"] = "1",
        };
    }

    public string ConnectionString { get; }

    public string DataPath => _directory.Path;

    /// <param name="connectionString">A database of the test's own.</param>
    /// <param name="schemaSql">Its tables.</param>
    /// <param name="cancellationToken">Ends the setup.</param>
    /// <param name="sharding">How the replica is sharded: further arguments of init.</param>
    public static async Task<ToolNode> CreateAsync(string connectionString, string schemaSql, CancellationToken cancellationToken, params string[] sharding)
    {
        var node = new ToolNode(connectionString);
        if (schemaSql.Length > 0) await node.ExecuteAsync(schemaSql);
        var init = await DbSyncTool.RunAsync(["init", .. sharding], node._environment, cancellationToken: cancellationToken);
        init.ExitCode.ShouldBe(0, init.StandardError);
        return node;
    }

    /// <summary>Starts the tool; with a failpoint it will die there.</summary>
    public TestProcess Run(string? failpoint = null, int count = 1)
    {
        var environment = new Dictionary<string, string?>(_environment, StringComparer.Ordinal);
        if (failpoint is not null) environment[Failpoint.EnvironmentVariable] = $"{failpoint}:{count}";
        return _process = DbSyncTool.Start(["run"], environment);
    }

    /// <summary>Waits until every table is readable and the primary's present position is visible; the process must live.</summary>
    public async Task CatchUpAsync(TimeSpan? timeout = null)
    {
        var target = Lsn.Parse((string)(await ScalarAsync("SELECT pg_current_wal_insert_lsn()::text"))!);
        await Eventually.Async(
            _ =>
            {
                if (_process!.HasExited) throw new InvalidOperationException($"The tool ended with {_process.ExitCode}: {_process.StandardError}");
                return Task.FromResult(LiveStatus.TryLoad(DataPath));
            },
            status => status is { Copying: false } && status.ProcessId == _process!.ProcessId && Lsn.Parse(status.AppliedLsn) >= target,
            timeout ?? TimeSpan.FromSeconds(60));
    }

    public async Task StopAsync()
    {
        _process!.Terminate();
        (await _process.WaitForExitAsync()).ShouldBe(0, _process.StandardError);
        await _process.DisposeAsync();
        _process = null;
    }

    /// <summary>Compares the stopped node's rows with the primary's; returns the tool's exit code.</summary>
    public async Task<int> VerifyAsync() => (await DbSyncTool.RunAsync(["verify"], _environment)).ExitCode;

    public IReadOnlyList<string> ShardFiles => Directory.GetFiles(DataPath, "*.db");

    public async Task ExecuteAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 600 };
        await command.ExecuteNonQueryAsync();
    }

    public async Task<object?> ScalarAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null) await _process.DisposeAsync();
        _directory.Dispose();
        await PostgresServer.DropSlotsAsync(ConnectionString);
    }
}
