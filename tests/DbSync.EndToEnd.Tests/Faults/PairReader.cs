using DbSync.Sqlite;
using DbSync.Testing;
using Microsoft.Data.Sqlite;

namespace DbSync.EndToEnd.Tests.Faults;

/// <summary>
/// Reads a replica over and over, as an application does: every answer must be whole (two tables that are changed together agree, and
/// hold all their rows) and none may be older than one before.
/// </summary>
internal sealed class PairReader(string data, int rows) : IAsyncDisposable
{
    public const string Schema =
        """
        CREATE TABLE left_side (id int PRIMARY KEY, v int NOT NULL, filler text);
        CREATE TABLE right_side (id int PRIMARY KEY, v int NOT NULL, filler text);
        INSERT INTO left_side SELECT g, 0, repeat('x', 200) FROM generate_series(1, 3000) g;
        INSERT INTO right_side SELECT g, 0, repeat('y', 200) FROM generate_series(1, 3000) g;
        """;

    public const string Change = "WITH changed AS (UPDATE left_side SET v = v + 1 WHERE id = 1 + floor(random() * 3000)::int RETURNING id) UPDATE right_side SET v = v + 1 FROM changed WHERE right_side.id = changed.id";

    private readonly CancellationTokenSource _stop = new();
    private Task _running = Task.CompletedTask;
    private long _reads;

    public long Reads => Interlocked.Read(ref _reads);

    public void Start() => _running = Task.Factory.StartNew(Read, _stop.Token, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <summary>Stops reading; throws what was wrong.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _running;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private void Read()
    {
        var last = Lsn.Zero;
        while (!_stop.Token.WaitHandle.WaitOne(Load.Pause))
        {
            using var replica = Replica.OpenRead(data);
            using var snapshot = replica.BeginTransaction(deferred: true);
            Look(replica, "left_side").ShouldBe(Look(replica, "right_side"), "both sides are changed in one transaction");
            Look(replica, "left_side").Rows.ShouldBe(rows);
            var position = Replica.PositionOf(replica);
            position.ShouldBeGreaterThanOrEqualTo(last, "a reader never goes back");
            last = position;
            Interlocked.Increment(ref _reads);
        }
    }

    private static (long Rows, long Sum) Look(SqliteConnection replica, string table)
    {
        using var command = replica.CreateCommand();
        command.CommandText = $"SELECT count(*), total(v) FROM {table}";
        using var reader = command.ExecuteReader();
        reader.Read();
        return (reader.GetInt64(0), reader.GetInt64(1));
    }
}
