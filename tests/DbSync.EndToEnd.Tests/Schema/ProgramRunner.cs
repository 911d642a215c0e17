using DbSync.Testing;
using Npgsql;

namespace DbSync.EndToEnd.Tests.Schema;

/// <summary>Runs generated programs against the primary of a node.</summary>
internal sealed class ProgramRunner(NodeUnderTest node) : IAsyncDisposable
{
    private readonly NpgsqlConnection?[] _connections = new NpgsqlConnection?[3];

    /// <param name="program">What to run.</param>
    /// <param name="isTolerant">Whether a statement may fail: steps were left out that it needs.</param>
    public async Task RunAsync(SchemaProgram program, bool isTolerant = false)
    {
        foreach (var sql in program.Setup) await ExecuteAsync(program, 0, sql, isTolerant);
        foreach (var (connection, sql) in program.Steps.SelectMany(s => s.Statements)) await ExecuteAsync(program, connection, sql, isTolerant);
        if (!isTolerant) return;
        for (var i = 0; i < _connections.Length; i++) await ExecuteAsync(program, i, "ROLLBACK", isTolerant);
    }

    public Task CleanUpAsync(SchemaProgram program) => ExecuteAsync(program, 0, program.Cleanup, isTolerant: false);

    public async ValueTask DisposeAsync()
    {
        foreach (var connection in _connections)
            if (connection is not null) await connection.DisposeAsync();
    }

    private async Task ExecuteAsync(SchemaProgram program, int connection, string sql, bool isTolerant)
    {
        var open = _connections[connection] ??= await OpenAsync();
        await using var command = new NpgsqlCommand(sql, open);
        try
        {
            await command.ExecuteNonQueryAsync();
        }
        catch (PostgresException exception)
        {
            if (isTolerant) return;
            throw new InvalidOperationException($"The generator made what PostgreSQL refuses: {exception.MessageText}\n{sql}\nin {program}", exception);
        }
    }

    private async Task<NpgsqlConnection> OpenAsync()
    {
        var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(node.ConnectionString) { IncludeErrorDetail = true, MaxAutoPrepare = 0, Pooling = false }.ConnectionString);
        await connection.OpenAsync();
        return connection;
    }
}
