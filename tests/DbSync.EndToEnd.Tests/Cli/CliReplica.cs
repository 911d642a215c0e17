using System.Text.Json;
using DbSync.Testing;
using Npgsql;

namespace DbSync.EndToEnd.Tests.Cli;

/// <summary>A database and a data directory of a test's own, and the real tool over them. What it leaves on the server is dropped.</summary>
internal sealed class CliReplica : IAsyncDisposable
{
    private readonly PostgresServer _server;
    private readonly TemporaryDirectory _directory = new();

    private CliReplica(PostgresServer server, string connection) => (_server, Primary) = (server, connection);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>The connection that the tool gets.</summary>
    public string Primary { get; set; }

    public string Database => new NpgsqlConnectionStringBuilder(Primary).Database!;

    public string Data => _directory["data"];

    public static async Task<CliReplica> CreateAsync(PostgresFixture postgres, string sql)
    {
        var server = await postgres.GetServerAsync(Cancellation);
        var replica = new CliReplica(server, await postgres.CreateDatabaseAsync(Cancellation));
        await replica.ExecuteAsync(sql);
        return replica;
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
    public async Task<TestProcess> StartAsync()
    {
        var process = DbSyncTool.Start(["run"], Environment(), _directory.Path);
        await process.WaitForLineAsync(l => l == "streaming", TimeSpan.FromSeconds(90), cancellationToken: Cancellation);
        return process;
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
        await _server.DropDatabaseAsync(Database, CancellationToken.None);
        _directory.Dispose();
    }

    private Dictionary<string, string?> Environment() => new() { ["DBSYNC_PRIMARY"] = Primary, ["DBSYNC_DATA"] = Data };
}
