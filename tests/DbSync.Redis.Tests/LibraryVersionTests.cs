using DbSync.Locking;
using DbSync.Redis.Wire;
using DbSync.Testing;
using DbSync.Testing.Contracts;
using StackExchange.Redis;

namespace DbSync.Redis.Tests;

/// <summary>Clients of several versions on one server: the newest library of a layout stays.</summary>
[Trait("Needs", "Server")]
public sealed class LibraryVersionTests
{
    private static readonly string Older = Of(LockLibrary.Revision - 1).Replace("'dbsync_lock1_run'", "'dbsync_lock1_acquire'", StringComparison.Ordinal);

    private static readonly string Newer = Of(LockLibrary.Revision + 1);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_older_library_is_replaced_even_when_it_comes_back_and_a_newer_one_is_used_and_left()
    {
        await using var server = await RedisServer.StartAsync(cancellationToken: Ct);
        await using var connection = await ConnectionMultiplexer.ConnectAsync(server.ConnectionString);
        await server.ExecuteAsync("FUNCTION", "LOAD", Older);
        await using var locks = new RedisRangeLockManager(connection, new InMemoryEpochStore());
        await Lock();
        (await Revision()).ShouldBe(LockLibrary.Revision);

        await server.ExecuteAsync("FUNCTION", "FLUSH");
        await server.ExecuteAsync("FUNCTION", "LOAD", Older); // an old client was the first to find it missing
        await Lock();
        (await Revision()).ShouldBe(LockLibrary.Revision);

        await server.ExecuteAsync("FUNCTION", "LOAD", "REPLACE", Newer);
        await Lock();
        await using (var later = new RedisRangeLockManager(connection, new InMemoryEpochStore()))
        await using (await later.AcquireAsync("other", KeyRange.Single(1), LockMode.Exclusive, LockTesting.Someone(), Ct)) (await Revision()).ShouldBe(LockLibrary.Revision + 1);

        async Task Lock() => await (await locks.AcquireAsync("seats", KeyRange.Single(1), LockMode.Exclusive, LockTesting.Someone(), Ct)).DisposeAsync();

        async Task<int> Revision() => (int)await server.ExecuteAsync("FCALL", "dbsync_lock1_revision", 0);
    }

    private static string Of(int revision)
        => LockLibrary.Code.Replace($"local REVISION = {LockLibrary.Revision}\n", $"local REVISION = {revision}\n", StringComparison.Ordinal);
}
