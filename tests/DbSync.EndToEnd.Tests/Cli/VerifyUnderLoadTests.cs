using DbSync.Testing;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace DbSync.EndToEnd.Tests.Cli;

/// <summary>
/// <c>dbsync verify</c> while the primary takes 500 writes a second: one flipped value in a shard file gives exactly one difference, and none
/// flipped gives none, time after time.
/// </summary>
[Trait("Needs", "Server")]
public sealed class VerifyUnderLoadTests(PostgresFixture postgres)
{
    private const int WritesPerSecond = 500;
    private const int Rows = 4000; // those above half of them are left alone by the writers

    private const string Schema =
        """
        CREATE TABLE orders (id bigint PRIMARY KEY, customer text NOT NULL, amount numeric(12, 2), at timestamptz DEFAULT now(), lines jsonb, note text);
        INSERT INTO orders SELECT i, 'customer ' || i % 50, i * 1.10, now() - i * interval '1 minute', jsonb_build_object('n', i), 'note ' || i FROM generate_series(1, 4000) AS i;
        CREATE TABLE log (a int, b text);
        ALTER TABLE log REPLICA IDENTITY FULL;
        INSERT INTO log SELECT i % 7, 'x' FROM generate_series(1, 500) AS i;
        """;

    private static readonly string[] Flips =
    [
        "UPDATE orders SET note = note || '!' WHERE id = $id",
        "UPDATE orders SET amount = '0.01' WHERE id = $id",
        "UPDATE orders SET customer = 'nobody' WHERE id = $id",
        "UPDATE orders SET lines = '{\"n\": -1}' WHERE id = $id",
        "UPDATE orders SET note = NULL WHERE id = $id",
        "UPDATE orders SET at = '2001-01-01 00:00:00' WHERE id = $id",
        "DELETE FROM orders WHERE id = $id",
    ];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public Task One_flipped_value_is_one_difference_three_times_running() => RoundsAsync(3);

    [Fact]
    [Trait("Role", "Soak")]
    public Task One_flipped_value_is_one_difference_twenty_times_running() => RoundsAsync(20);

    private async Task RoundsAsync(int rounds)
    {
        await using var replica = await CliReplica.CreateAsync(postgres, Schema);
        await replica.JsonAsync(0, "init");
        await using var node = await replica.StartAsync();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var writers = Enumerable.Range(0, 4).Select(w => WriteAsync(replica.Primary, w, WritesPerSecond / 4, stop.Token)).ToList();
        var started = TimeProvider.System.GetTimestamp();
        for (var round = 0; round < rounds; round++)
        {
            (await replica.JsonAsync(0, "verify")).GetProperty("differences").GetInt64().ShouldBe(0, $"round {round}");
            Flip(replica, Flips[round % Flips.Length], Rows / 2 + 1 + round);
            (await replica.JsonAsync(5, "verify")).GetProperty("differences").GetInt64().ShouldBe(1, $"round {round}: {Flips[round % Flips.Length]}");
            await replica.ExecuteAsync($"TRUNCATE orders; INSERT INTO orders SELECT i, 'again', i, now(), '[]', 'n' FROM generate_series(1, {Rows}) AS i");
        }
        var seconds = TimeProvider.System.GetElapsedTime(started).TotalSeconds;
        await stop.CancelAsync();
        var written = (await Task.WhenAll(writers)).Sum();
        TestContext.Current.TestOutputHelper?.WriteLine($"{rounds} rounds in {seconds:0.0} s, {written / seconds:0} writes/s");
        written.ShouldBeGreaterThan(rounds * 50);
    }

    private static void Flip(CliReplica replica, string sql, int id)
    {
        using var connection = new SqliteConnection($"Data Source={replica.ShardFile};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.Parameters.AddWithValue("$id", id);
        command.ExecuteNonQuery().ShouldBe(1);
    }

    /// <summary>Writes at a steady rate: at each tick what is due by then.</summary>
    private static async Task<long> WriteAsync(string primary, int seed, int perSecond, CancellationToken stop)
    {
        const int TicksPerSecond = 50;
        var random = new Random(seed);
        await using var connection = new NpgsqlConnection(primary);
        await connection.OpenAsync(CancellationToken.None);
        using var ticks = new PeriodicTimer(TimeSpan.FromSeconds(1.0 / TicksPerSecond), TimeProvider.System);
        var started = TimeProvider.System.GetTimestamp();
        long written = 0;
        while (!stop.IsCancellationRequested && await ticks.WaitForNextTickAsync(CancellationToken.None))
        {
            for (; written < TimeProvider.System.GetElapsedTime(started).TotalSeconds * perSecond && !stop.IsCancellationRequested; written++)
            {
                var id = random.Next(1, Rows / 2);
                await using var command = new NpgsqlCommand(
                    random.Next(4) switch
                    {
                        0 => $"INSERT INTO orders VALUES ({id}, 'new', {id}, now(), '{{}}', 'w') ON CONFLICT (id) DO UPDATE SET amount = orders.amount + 0.01",
                        1 => $"DELETE FROM orders WHERE id = {id}",
                        2 => $"INSERT INTO log VALUES ({id % 7}, 'y')",
                        _ => $"UPDATE orders SET note = 'written {id}', at = now() WHERE id = {id}",
                    }, connection);
                await command.ExecuteNonQueryAsync(CancellationToken.None);
            }
        }
        return written;
    }
}
