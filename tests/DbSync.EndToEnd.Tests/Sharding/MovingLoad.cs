using DbSync.Sqlite;
using DbSync.Testing;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace DbSync.EndToEnd.Tests.Sharding;

/// <summary>
/// Accounts that give each other money and change their numbers, and a reader over all shards: every answer has all accounts, and no more and no
/// less money than there is.
/// </summary>
internal sealed class MovingLoad : IAsyncDisposable
{
    private readonly string _connectionString;
    private readonly string _data;
    private readonly int _rows;
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _turn = new(1);
    private readonly Task _writing;
    private readonly Task _reading;
    private int _reads;

    public MovingLoad(string connectionString, string data, int rows)
    {
        (_connectionString, _data, _rows) = (connectionString, data, rows);
        _writing = Task.Run(WriteAsync);
        _reading = Task.Run(Read);
    }

    public int Reads => Volatile.Read(ref _reads);

    /// <summary>What a reader saw that can't be; null when all was well.</summary>
    public string? Failure { get; private set; }

    /// <summary>Nothing is written until the result is disposed.</summary>
    public async Task<IDisposable> PauseAsync()
    {
        await _turn.WaitAsync();
        return new Pause(_turn);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_writing, _reading);
        _stop.Dispose();
        _turn.Dispose();
    }

    private async Task WriteAsync()
    {
        var random = new Random(11);
        await using var connection = new NpgsqlConnection(_connectionString);
        await connection.OpenAsync(CancellationToken.None);
        while (!_stop.IsCancellationRequested)
        {
            using (await PauseAsync())
            {
                var (from, to, renamed, gone) = (random.Next(1, _rows + 1), random.Next(1, _rows + 1), random.Next(1, _rows + 1), random.Next(1, _rows + 1));
                await using var command = new NpgsqlCommand(
                    $"""
                    UPDATE account SET balance = balance - 1 WHERE id IN ({from}, -{from});
                    UPDATE account SET balance = balance + 1 WHERE id IN ({to}, -{to});
                    UPDATE account SET id = -id WHERE id IN ({renamed}, -{renamed});
                    UPDATE event SET account = -account WHERE account IN ({renamed}, -{renamed});
                    WITH old AS (DELETE FROM account WHERE id IN ({gone}, -{gone}) RETURNING *) INSERT INTO account SELECT id, balance, note FROM old
                    """,
                    connection);
                await command.ExecuteNonQueryAsync(CancellationToken.None);
            }
            await Load.PauseAsync();
        }
    }

    private void Read()
    {
        SqliteConnection? replica = null;
        for (var turn = 0; !_stop.IsCancellationRequested && Failure is null; turn++)
        {
            try
            {
                if (turn % 20 == 0)
                {
                    replica?.Dispose();
                    replica = null;
                }
                if (replica is null) replica = Replica.OpenRead(_data);
                else Replica.Refresh(replica);
                var answer = Ask(replica, "SELECT count(*), sum(balance), (SELECT count(*) FROM event) FROM account");
                if (answer != $"{_rows} 0 {_rows}") Failure = answer;
                else Interlocked.Increment(ref _reads);
            }
            catch (DbSyncException exception) when (exception.Code is ErrorCodes.ShardsApart or ErrorCodes.NotAllHere)
            {
                replica?.Dispose(); // between two positions, or two maps: the caller asks the primary
                replica = null;
            }
        }
        replica?.Dispose();
    }

    private static string Ask(SqliteConnection replica, string sql)
    {
        using var command = replica.CreateCommand();
        command.CommandText = sql;
        using var reader = command.ExecuteReader();
        reader.Read();
        return string.Join(' ', Enumerable.Range(0, reader.FieldCount).Select(i => reader.GetInt64(i)));
    }

    private sealed class Pause(SemaphoreSlim turn) : IDisposable
    {
        public void Dispose() => turn.Release();
    }
}
