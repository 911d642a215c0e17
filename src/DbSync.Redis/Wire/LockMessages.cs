using DbSync.Redis.Leases;
using StackExchange.Redis;

namespace DbSync.Redis.Wire;

/// <summary>
/// What the server tells this process: grants, revocations, new epochs. Messages come at most once; the state is in the server, so a lost one
/// only delays until the next poll.
/// </summary>
internal sealed class LockMessages(IConnectionMultiplexer redis, RedisChannel channel, LeaseKeeper keeper, TimeProvider time) : IAsyncDisposable
{
    private readonly SemaphoreSlim _starting = new(1);
    private volatile bool _started;

    public ValueTask Start() => _started ? ValueTask.CompletedTask : Subscribe();

    public async ValueTask DisposeAsync()
    {
        if (!_started) return;
        redis.ConnectionRestored -= Restored;
        try
        {
            await redis.GetSubscriber().UnsubscribeAsync(channel, flags: CommandFlags.FireAndForget);
        }
        catch (Exception failure) when (failure is ObjectDisposedException or RedisException)
        {
            // The application has closed the connection first, and the subscription went with it.
        }
    }

    private async ValueTask Subscribe()
    {
        await _starting.WaitAsync();
        try
        {
            if (_started) return;
            await redis.GetSubscriber().SubscribeAsync(channel, Received);
            redis.ConnectionRestored += Restored;
            _started = true;
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException)
        {
            throw RedisFailures.Describe(failure);
        }
        finally
        {
            _starting.Release();
        }
    }

    // G lease request sequence | X lease request | E lease epoch. Anyone who may publish on the channel could forge one, so only G's
    // shape is trusted no further than the fence: a forged grant has a token that PostgreSQL or the next renewal exposes.
    private void Received(RedisChannel _, RedisValue message)
    {
        var words = ((string?)message ?? "").Split(' ');
        if (words.Length < 3 || keeper.Find(words[1]) is not { } lease) return;
        switch (words[0])
        {
            case "G" when words.Length == 4 && long.TryParse(words[3], out var sequence):
                lease.Find(words[2])?.Grant(sequence, time);
                break;
            case "X":
                lease.Find(words[2])?.Lose(WaitEnd.Revoked);
                break;
            case "E":
                keeper.End(lease, 'E');
                break;
        }
    }

    private void Restored(object? sender, ConnectionFailedEventArgs connection) => keeper.PollNow();
}
