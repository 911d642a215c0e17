using System.Diagnostics;
using DbSync.Locking;
using DbSync.Postgres;
using DbSync.Postgres.Locking;
using DbSync.Testing;
using Npgsql;

namespace DbSync.Benchmarks.Locks;

/// <summary>What the fence adds to a guarded transaction: the same transaction with an empty statement in its place, alternating.</summary>
internal static class FenceCost
{
    private const int Pairs = 3_000;

    public static async Task Measure(BenchmarkReport report, CancellationToken cancellationToken)
    {
        await using var server = await PostgresServer.StartAsync(cancellationToken: cancellationToken);
        var database = await server.CreateDatabaseAsync(cancellationToken: cancellationToken);
        await using (var primary = new Primary(database)) await new ControlSchema(primary).UpgradeAsync(cancellationToken);
        await using var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(database) { MaxAutoPrepare = 10 }.ConnectionString);
        await using var locks = new InMemoryRangeLockManager(new PostgresEpochStore(source));
        var fence = new PostgresFence(source);
        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        await Execute(connection, null, "SET synchronous_commit = off");
        await Execute(connection, null, "CREATE TABLE account (id int PRIMARY KEY, balance bigint); INSERT INTO account SELECT i, 0 FROM generate_series(0, 999) i");

        foreach (var mode in new[] { LockMode.Exclusive, LockMode.Shared })
        {
            await using var held = await locks.AcquireAsync("accounts", KeyRange.HalfOpen(10, 20), mode, cancellationToken: cancellationToken);
            await fence.RegisterAsync(held, cancellationToken);
            var (plain, guarded) = (new List<double>(), new List<double>());
            for (var i = 0; i < Pairs; i++)
            {
                plain.Add(await Transaction(connection, transaction => Execute(connection, transaction, "SELECT 1")));
                guarded.Add(await Transaction(connection, transaction => fence.GuardAsync(transaction, held, cancellationToken).AsTask()));
            }

            var (without, with) = (LocksBenchmark.Median(plain), LocksBenchmark.Median(guarded));
            report.Add(Figure.AtMost($"fence, {mode}, added to a transaction", with - without, "ms", 0.3));
            report.Add(new Figure($"fence, {mode}, whole transaction", with, "ms").Beside("the same with SELECT 1", without));
        }
    }

    private static async Task<double> Transaction(NpgsqlConnection connection, Func<NpgsqlTransaction, Task> first)
    {
        var started = Stopwatch.GetTimestamp();
        await using var transaction = await connection.BeginTransactionAsync();
        await first(transaction);
        await Execute(connection, transaction, "UPDATE account SET balance = balance + 1 WHERE id = 15");
        await transaction.CommitAsync();
        return Stopwatch.GetElapsedTime(started).TotalMilliseconds;
    }

    private static async Task Execute(NpgsqlConnection connection, NpgsqlTransaction? transaction, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection, transaction);
        await command.ExecuteNonQueryAsync();
    }
}
