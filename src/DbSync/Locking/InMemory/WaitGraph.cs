namespace DbSync.Locking.InMemory;

/// <summary>Searches for a circle of owners that wait for each other. Waits are few, so it is searched whenever one begins.</summary>
internal static class WaitGraph
{
    /// <summary>True when <paramref name="request"/>, waiting, would wait for its own owner in the end.</summary>
    public static bool ClosesCircle(LockRequest request, IEnumerable<LockQueue> queues)
    {
        var waiting = queues.SelectMany(queue => queue.Waiting).ToLookup(waiter => waiter.Owner);
        var seen = new HashSet<LockOwner>();
        var next = new Stack<LockRequest>([request]);
        while (next.TryPop(out var waiter))
        {
            foreach (var blocker in waiter.Queue.Blockers(waiter))
            {
                if (blocker.Owner == request.Owner) return true;
                if (!seen.Add(blocker.Owner)) continue;
                foreach (var blocked in waiting[blocker.Owner]) next.Push(blocked);
            }
        }

        return false;
    }
}
