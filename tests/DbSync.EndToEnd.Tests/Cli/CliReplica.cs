using System.Net.Sockets;
using System.Text.Json;
using DbSync.Testing;
using Npgsql;

namespace DbSync.EndToEnd.Tests.Cli;

/// <summary>A database and a data directory of a test's own, and the real tool over them. What it leaves on the server is dropped.</summary>
internal sealed class CliReplica : IAsyncDisposable
{
    private readonly PostgresServer _server;
    private readonly TemporaryDirectory _directory = new();

    private CliReplica(PostgresServer server, string connection) =>
        (_server, Primary, Database) = (server, connection, new NpgsqlConnectionStringBuilder(connection).Database!);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>The connection that the tool gets.</summary>
    public string Primary { get; set; }

    public string Database { get; }

    public string Data => _directory["data"];

    /// <summary>A path beside the data directory.</summary>
    public string Beside(string name) => _directory[name];

    public static async Task<CliReplica> CreateAsync(PostgresFixture postgres, string sql) => await CreateAsync(await postgres.GetServerAsync(Cancellation), sql);

    public static async Task<CliReplica> CreateAsync(PostgresServer server, string sql)
    {
        var replica = new CliReplica(server, await server.CreateDatabaseAsync(cancellationToken: Cancellation));
        await replica.ExecuteAsync(sql);
        return replica;
    }

    /// <summary>The one shard file before everything is copied again.</summary>
    public string ShardFile => Path.Combine(Data, "main.1.db");

    /// <summary>Starts a command and returns at once; <paramref name="data"/> is another data directory than this one's.</summary>
    public TestProcess Start(string command, string? data = null) => Start([command], data: data);

    /// <summary>Starts a command and returns at once; it dies at <paramref name="failpoint"/>.</summary>
    public TestProcess Start(string[] arguments, string? failpoint = null, string? data = null, string? shell = null)
    {
        var environment = Environment();
        if (data is not null) environment["DBSYNC_DATA"] = data;
        if (failpoint is not null) environment[Failpoint.EnvironmentVariable] = failpoint;
        return DbSyncTool.Start(arguments, environment, _directory.Path, shell);
    }

    /// <summary>Waits until the file that readers use now is no longer stale and holds what the primary has; the node must run.</summary>
    public async Task CatchUpAsync(TestProcess node, TimeSpan? timeout = null)
    {
        var target = Lsn.Parse(await ScalarAsync<string>("SELECT pg_current_wal_insert_lsn()::text"));
        await Eventually.Async(
            _ =>
            {
                if (node.HasExited) throw new InvalidOperationException($"The tool ended with {node.ExitCode}: {node.StandardError}");
                return Task.FromResult((File: NodeFile.Load(Data), Status: LiveStatus.TryLoad(Data)));
            },
            now => now.File.StaleSince is null && now.Status is { Copying: false } status && status.ProcessId == node.ProcessId && Lsn.Parse(status.AppliedLsn) >= target,
            timeout ?? TimeSpan.FromSeconds(60),
            now => $"{now.File} {now.Status} {node.StandardError}",
            Cancellation);
    }

    /// <summary>The differences between the primary and the file that readers use now; nothing may be writing.</summary>
    public Task<IReadOnlyList<string>> CompareAsync() => ReplicaOracle.CompareAsync(
        _server.ConnectionStringFor(Database), "dbsync_main", [.. NodeFile.Load(Data).Shards.Select(s => Path.Combine(Data, s.File))]);

    /// <summary>Copies the data directory as it stands, for a second process on the same slot.</summary>
    public string CopyData(string name)
    {
        var target = Directory.CreateDirectory(_directory[name]).FullName;
        foreach (var file in Directory.GetFiles(Data).Where(f => !f.EndsWith(DataDirectory.LockFileName, StringComparison.Ordinal)))
            File.Copy(file, Path.Combine(target, Path.GetFileName(file)));
        return target;
    }

    public Task<ProcessResult> RunAsync(params string[] arguments) =>
        DbSyncTool.RunAsync(arguments, Environment(), _directory.Path, Cancellation);

    /// <summary>Runs a command with --json, checks its exit code, and returns the object.</summary>
    public async Task<JsonElement> JsonAsync(int exitCode, params string[] arguments)
    {
        var result = await RunAsync([.. arguments, "--json"]);
        result.ExitCode.ShouldBe(exitCode, result.StandardError + result.StandardOutput);
        return JsonDocument.Parse(result.StandardOutput).RootElement;
    }

    /// <summary>Starts <c>dbsync run</c> and waits until every table is live.</summary>
    public async Task<TestProcess> StartAsync(string? data = null)
    {
        var process = Start("run", data);
        await process.WaitForLineAsync(l => l == "streaming", TimeSpan.FromSeconds(90), cancellationToken: Cancellation);
        return process;
    }

    /// <summary>Runs a statement again and again, until it is told to stop.</summary>
    public Task WriteAsync(string sql, CancellationToken stop) => WriteAsync(() => sql, stop);

    /// <summary>Runs statements over one connection, until it is told to stop; says how many there were.</summary>
    public async Task<int> WriteAsync(Func<string> next, CancellationToken stop)
    {
        await using var connection = new NpgsqlConnection(_server.ConnectionStringFor(Database));
        await connection.OpenAsync(CancellationToken.None);
        var written = 0;
        for (; !stop.IsCancellationRequested; written++)
        {
            await using var command = new NpgsqlCommand(next(), connection);
            await command.ExecuteNonQueryAsync(CancellationToken.None);
            await Load.PauseAsync();
        }
        return written;
    }

    public Task ExecuteAsync(string sql) => _server.ExecuteAsync(sql, Database, Cancellation);

    public async Task<T> ScalarAsync<T>(string sql)
    {
        await using var source = NpgsqlDataSource.Create(_server.ConnectionStringFor(Database));
        await using var command = source.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync(Cancellation))!;
    }

    public string ConnectionStringFor(string role) => _server.ConnectionStringFor(Database, role);

    public async ValueTask DisposeAsync()
    {
        try
        {
            await _server.DropDatabaseAsync(Database, CancellationToken.None);
        }
        catch (NpgsqlException exception) when (exception.InnerException is SocketException)
        {
            // A test that stopped its server did not get so far as to start it again; why is what it has to tell.
        }
        _directory.Dispose();
    }

    private Dictionary<string, string?> Environment() => new() { ["DBSYNC_PRIMARY"] = Primary, ["DBSYNC_DATA"] = Data };
}
