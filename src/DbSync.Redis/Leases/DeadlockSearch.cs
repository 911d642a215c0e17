using DbSync.Redis.Wire;
using StackExchange.Redis;

namespace DbSync.Redis.Leases;

/// <summary>
/// Finds circles of owners that wait for each other, over all resources and processes. Locks of different resources change while they are read one
/// after the other, so what is seen once may never have been true at one moment; a deadlock stays, so only edges seen in two rounds count:
/// each of them existed all the time between the rounds. In a circle the youngest wait gives way, and its own client sees to that.
/// </summary>
internal sealed class DeadlockSearch(LockLibrary library, LockKeys keys)
{
    private const int OwnersMax = 1_000;
    private const int OwnersPerCall = 64;

    /// <summary>Those of <paramref name="waits"/> that must give way.</summary>
    public async Task<IReadOnlyList<LockRequest>> Find(IReadOnlyList<LockRequest> waits)
    {
        var owners = waits.Select(wait => wait.Owner.Id).Distinct(StringComparer.Ordinal).ToArray();
        var first = await Edges(owners);
        if (!owners.Any(owner => Circle(owner, first) is not null)) return [];
        var second = await Edges(owners);
        var stable = first.Intersect(second).ToArray();

        var victims = new HashSet<string>(StringComparer.Ordinal);
        foreach (var owner in owners)
            if (Circle(owner, stable) is { } circle)
                victims.Add(circle.MaxBy(edge => (edge.Since, edge.Waiter)).Waiter);
        return [.. waits.Where(wait => victims.Contains($"{wait.Lease.Name}/{wait.Number}"))];
    }

    private static List<Edge>? Circle(string owner, IReadOnlyCollection<Edge> edges)
    {
        var from = edges.ToLookup(edge => edge.Owner, StringComparer.Ordinal);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var path = new List<Edge>();
        return Reaches(owner) ? path : null;

        // Depth is bounded by OwnersMax.
        bool Reaches(string current)
        {
            foreach (var edge in from[current])
            {
                path.Add(edge);
                if (edge.Blocker == owner || (seen.Add(edge.Blocker) && Reaches(edge.Blocker))) return true;
                path.RemoveAt(path.Count - 1);
            }

            return false;
        }
    }

    private async Task<HashSet<Edge>> Edges(IReadOnlyList<string> owners)
    {
        var edges = new HashSet<Edge>();
        var known = owners.ToHashSet(StringComparer.Ordinal);
        var next = owners.ToList();
        var resources = (await library.Database.SetMembersAsync(keys.Resources).Translated()).Select(name => keys.Base((string)name!)).ToArray();
        while (next.Count > 0)
        {
            var found = new List<string>();
            foreach (var some in next.Chunk(OwnersPerCall))
            {
                RedisValue[] arguments = [.. some.Select(owner => (RedisValue)owner)];
                foreach (var reply in await Task.WhenAll(resources.Select(key => library.Call("waits", key, arguments))))
                    Read(reply);
            }

            next = found;

            void Read(LockReply reply)
            {
                for (var i = 1; i < reply.Length; i++)
                {
                    var (owner, waiter, since) = ((string)reply[i][0]!, (string)reply[i][1]!, (long)reply[i][2]);
                    for (var b = 0; b < reply[i][3].Length; b += 2)
                    {
                        var (blocker, request) = ((string)reply[i][3][b]!, (string)reply[i][3][b + 1]!);
                        edges.Add(new Edge(owner, waiter, since, blocker, request));
                        if (known.Count < OwnersMax && known.Add(blocker)) found.Add(blocker);
                    }
                }
            }
        }

        return edges;
    }

    private readonly record struct Edge(string Owner, string Waiter, long Since, string Blocker, string BlockingRequest);
}
