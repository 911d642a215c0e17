using DbSync.Locking;
using DbSync.Postgres.Locking;
using DbSync.Testing;
using DbSync.Testing.Contracts;
using Npgsql;

namespace DbSync.Postgres.Tests.Locking;

/// <summary>S10, S11, S19: what a role that may use locks, and means harm, can't do.</summary>
[Trait("Needs", "Server")]
public sealed class FenceSecurityTests(PostgresFixture postgres) : FenceTestBase(postgres)
{
    [Fact]
    public async Task A_role_with_the_functions_only_can_lock_and_touches_nothing_else()
    {
        await using var app = await NewRole();
        await new PostgresFence(app).RegisterAsync(Lock(X, 4, R(0, 10)), Ct);
        (await new PostgresEpochStore(app).ReadAsync(Accounts, Ct)).ShouldBe(Epoch);
        string[] forbidden =
        [
            "SELECT * FROM dbsync.fence", "DELETE FROM dbsync.fence", "UPDATE dbsync.lock_resource SET epoch = 0",
            "INSERT INTO dbsync.fence_reader (token) VALUES (1)", "SELECT dbsync.fence_prune('accounts', 9223372036854775807)",
            "SELECT dbsync.fence_take_exclusive('empty', 1)", "ALTER FUNCTION dbsync.lock_epoch(text) RESET ALL",
            "DROP TABLE dbsync.fence", "TRUNCATE dbsync.fence", "UPDATE dbsync.fence_floor SET token = 0",
            "SELECT dbsync.fence_may_register('empty', 1)", "ALTER TABLE dbsync.fence DISABLE TRIGGER ALL", "SET session_replication_role = replica",
            "CREATE FUNCTION dbsync.fence_shared(int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        ];
        foreach (var sql in forbidden)
        {
            await using var command = app.CreateCommand(sql);
            (await Should.ThrowAsync<PostgresException>(() => command.ExecuteNonQueryAsync(Ct))).SqlState.ShouldBe("42501", sql);
        }
    }

    [Fact]
    public async Task A_hostile_search_path_changes_nothing()
    {
        await Register(Lock(X, 9, R(0, 10)));
        await using var app = await NewRole();
        await using var connection = await app.OpenConnectionAsync(Ct);
        await using var trap = new NpgsqlCommand(
            """
            CREATE SCHEMA trap;
            CREATE FUNCTION trap.int4send(integer) RETURNS bytea LANGUAGE sql AS $$ SELECT '\xff'::bytea $$;
            CREATE FUNCTION trap.gt(bigint, bigint) RETURNS boolean LANGUAGE sql AS $$ SELECT false $$;
            CREATE OPERATOR trap.> (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = trap.gt);
            CREATE TEMP TABLE lock_resource AS SELECT 1 AS id, 'accounts'::text AS name, 9::bigint AS epoch;
            SET search_path = trap, pg_temp, pg_catalog;
            """, connection);
        await trap.ExecuteNonQueryAsync(Ct);
        await using var transaction = await connection.BeginTransactionAsync(Ct);
        await Refused(async () => await Fence.GuardAsync(transaction, Lock(X, 8, R(0, 10)), Ct));
    }

    [Theory]
    [InlineData("'; DROP SCHEMA dbsync CASCADE; --")]
    [InlineData("a:b{c}\r\n%s")]
    [InlineData("Äccounts")]
    [InlineData("ACCOUNTS")]
    public async Task Names_are_data_and_distinct(string name)
    {
        await Register(Lock(X, 9, R(0, 10)));
        var epoch = (await Epochs.AdvanceAsync(name, 0, Ct))!.Value;
        await Register(new KnownLock(name, X, epoch, 1, R(0, 10)));
        await Refused(Lock(X, 8, R(0, 10)));
    }

    [Fact]
    public async Task Malformed_bounds_are_refused()
    {
        string[] bounds =
        [
            "ARRAY['\\x20'::bytea], ARRAY['\\x10'::bytea]", "ARRAY['\\x10'::bytea], ARRAY['\\x10'::bytea]", "ARRAY[''::bytea], ARRAY['\\x10'::bytea]",
            "ARRAY[NULL::bytea], ARRAY['\\x10'::bytea]", "ARRAY['\\x10'::bytea], ARRAY[]::bytea[]", "NULL, NULL", "ARRAY[]::bytea[], ARRAY[]::bytea[]",
            "ARRAY['\\x10'::bytea], ARRAY[convert_to(repeat('z', 2000), 'UTF8')]",
        ];
        foreach (var pair in bounds)
        {
            await using var command = Database.CreateCommand($"SELECT dbsync.fence_exclusive('accounts', {new FencingToken(Epoch, 1).Value}, {pair})");
            (await Should.ThrowAsync<PostgresException>(() => command.ExecuteNonQueryAsync(Ct))).SqlState.ShouldBe("22023", pair);
        }
    }

    private async Task<NpgsqlDataSource> NewRole()
    {
        var role = $"app_{Random.Shared.GetHexString(8, lowercase: true)}";
        await using var create = Database.CreateCommand(
            $"""
            CREATE ROLE {role} LOGIN;
            GRANT CREATE ON DATABASE {new NpgsqlConnectionStringBuilder(ConnectionString).Database} TO {role};
            GRANT USAGE ON SCHEMA dbsync TO {role};
            GRANT EXECUTE ON FUNCTION dbsync.lock_epoch, dbsync.lock_epoch_advance, dbsync.fence_exclusive, dbsync.fence_shared, dbsync.fence_trim TO {role};
            """);
        await create.ExecuteNonQueryAsync(Ct);
        return NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(ConnectionString) { Username = role }.ConnectionString);
    }
}
