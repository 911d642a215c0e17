using DbSync.EndToEnd.Tests.Cli;
using DbSync.Testing;
using Npgsql;

namespace DbSync.EndToEnd.Tests.Replication;

/// <summary>Traps of the initial copy that random writers don't fall into.</summary>
[Trait("Needs", "Server")]
public sealed class CopyTrapTests(PostgresFixture postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>What it wrote before the slot was made is in no log, and no snapshot sees it before it ends.</summary>
    [Fact]
    public async Task A_transaction_that_is_older_than_the_copy_is_waited_for_and_named()
    {
        await using var node = await NodeUnderTest.CreateAsync(
            await postgres.CreateDatabaseAsync(Cancel), "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, 'v' FROM generate_series(1, 100) g", "t", Cancel);
        await using var connection = new NpgsqlConnection(node.ConnectionString);
        await connection.OpenAsync(Cancel);
        await using var older = await connection.BeginTransactionAsync(Cancel);
        await RunAsync(connection, "UPDATE t SET v = 'older' WHERE id < 50");
        node.Run();
        await node.UntilAsync(s => s.Waiting?.Contains($"server process {connection.ProcessID} ", StringComparison.Ordinal) == true);
        await node.ExecuteAsync("UPDATE t SET v = 'younger' WHERE id > 50");
        await older.CommitAsync(Cancel);
        await ReplicationTests.ShouldEndEqualAsync(node);
    }

    /// <summary>COPY by a role under row-level security would give a part of the table and say nothing.</summary>
    [Fact]
    public async Task A_table_whose_rows_the_role_may_not_all_see_is_not_copied_in_part()
    {
        await using var replica = await CliReplica.CreateAsync(
            postgres,
            """
            CREATE TABLE guarded (id int PRIMARY KEY, tenant int); INSERT INTO guarded SELECT g, g % 2 FROM generate_series(1, 100) g;
            CREATE TABLE open (id int PRIMARY KEY); INSERT INTO open SELECT generate_series(1, 100);
            """);
        var role = $"under_rls_{replica.Database}";
        await replica.ExecuteAsync($"CREATE ROLE {role} LOGIN REPLICATION; ALTER TABLE guarded ENABLE ROW LEVEL SECURITY; CREATE POLICY half ON guarded USING (tenant = 1)");
        await replica.JsonAsync(0, "init", "--schema-only", "--grant-to", role);
        replica.Primary = replica.ConnectionStringFor(role);
        await replica.JsonAsync(0, "init");
        await using var node = replica.Start("run");
        await Eventually.Async(
            _ => Task.FromResult(LiveStatus.TryLoad(replica.Data)), status => status is { ErrorCode: ErrorCodes.MissingPrivilege, RowsCopied: >= 100 }, cancellationToken: Cancel);
        var status = await replica.JsonAsync(0, "status");
        status.GetProperty("tables").EnumerateArray().Single(t => t.GetProperty("name").GetString() == "guarded").GetProperty("rows").GetInt64().ShouldBe(0);
        await replica.ExecuteAsync($"ALTER ROLE {role} BYPASSRLS");
        await replica.CatchUpAsync(node);
        (await replica.CompareAsync()).ShouldBeEmpty();
        node.Terminate();
        await node.WaitForExitAsync(cancellationToken: Cancel);
        await replica.ExecuteAsync($"REASSIGN OWNED BY {role} TO postgres; DROP OWNED BY {role}; SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database(); DROP ROLE {role}");
    }

    private static async Task RunAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(Cancel);
    }
}
