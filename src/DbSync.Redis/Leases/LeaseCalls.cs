using DbSync.Locking;
using DbSync.Redis.Wire;
using StackExchange.Redis;

namespace DbSync.Redis.Leases;

/// <summary>
/// What a lease asks for and gives back, on its way to the server: at once while nothing is under way, and otherwise together with all that comes
/// meanwhile, in one call. So a process that is busy pays for the checks once a call, and one that isn't waits for nothing.
/// </summary>
internal sealed class LeaseCalls(LockLibrary library, RedisKey key, RedisValue epoch, RedisValue lease, RedisValue waitersMax)
{
    /// <summary>The bounds of one call: it is one step of the server's one thread.</summary>
    private const int StepsMax = 128;
    private const int WordsMax = 2_048;

    /// <summary>A second call is on its way while the server works on the first.</summary>
    private const int UnderWayMax = 2;

    private readonly Lock _gate = new();
    private readonly Queue<Step> _waiting = new();
    private int _underWay;

    /// <summary>One step of the function <c>run</c>; see <c>Lua/50_locking.lua</c>. A request's number alone gives it back.</summary>
    /// <exception cref="DbSyncException">DBS6005, DBS6006, DBS6007: see <see cref="RedisFailures"/>.</exception>
    public Task<LockReply> Call(params RedisValue[] words)
    {
        var step = new Step(words);
        lock (_gate)
        {
            if (_underWay == UnderWayMax)
            {
                _waiting.Enqueue(step);
                return step.Answer.Task;
            }

            _underWay++;
        }

        _ = Run([step]);
        return step.Answer.Task;
    }

    private async Task Run(List<Step> steps)
    {
        while (true)
        {
            await Send(steps);
            lock (_gate)
            {
                if (_waiting.Count == 0)
                {
                    _underWay--;
                    return;
                }

                steps = Next();
            }
        }
    }

    private List<Step> Next()
    {
        var steps = new List<Step>();
        for (var words = 0; steps.Count < StepsMax && _waiting.TryPeek(out var next); words += next.Words.Length)
        {
            if (steps.Count > 0 && words + next.Words.Length > WordsMax) break;
            steps.Add(_waiting.Dequeue());
        }

        return steps;
    }

    private async Task Send(List<Step> steps)
    {
        try
        {
            var asks = steps.Exists(step => !step.GivesBack);
            var reply = await library.Call(asks ? "run" : "give_back", key, Arguments(steps));
            for (var i = 0; i < steps.Count; i++) steps[i].Answer.TrySetResult(reply.Status == 'A' ? new LockReply(reply[i + 1]) : reply);
        }
        catch (Exception failure)
        {
            // A server whose memory is used up refuses requests, and what gives back must not be refused with them.
            var (back, asked) = (steps.FindAll(step => step.GivesBack), steps.FindAll(step => !step.GivesBack));
            if (asked.Count == 0) asked = back;
            foreach (var step in asked) step.Answer.TrySetException(failure);
            if (asked != back && back.Count > 0) await Send(back);
        }
    }

    private RedisValue[] Arguments(List<Step> steps)
    {
        var arguments = new RedisValue[3 + steps.Count + steps.Sum(step => step.Words.Length)];
        (arguments[0], arguments[1], arguments[2]) = (epoch, lease, waitersMax);
        var at = 3;
        foreach (var step in steps)
        {
            arguments[at++] = step.Words.Length;
            step.Words.CopyTo(arguments, at);
            at += step.Words.Length;
        }

        return arguments;
    }

    private sealed class Step(RedisValue[] words)
    {
        public RedisValue[] Words => words;

        public bool GivesBack => words.Length == 1;

        public TaskCompletionSource<LockReply> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
