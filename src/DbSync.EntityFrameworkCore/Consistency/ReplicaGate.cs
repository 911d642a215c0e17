using DbSync.EntityFrameworkCore.Infrastructure;
using DbSync.EntityFrameworkCore.Parity;
using DbSync.EntityFrameworkCore.Replicas;
using DbSync.Sqlite;

namespace DbSync.EntityFrameworkCore.Consistency;

/// <summary>Lets a query in to the replica once that is as fresh as asked, or says why not.</summary>
internal static class ReplicaGate
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan NudgeAfter = TimeSpan.FromMilliseconds(20);

    /// <summary>
    /// Opens a snapshot that has what <paramref name="consistency"/> asks for, waiting for it within bounds. What the query needs of tables is
    /// checked on that very snapshot.
    /// </summary>
    /// <exception cref="DbSyncException">DBS7002 when the wait was in vain and the context wants to be told.</exception>
    public static async ValueTask<GateAnswer> EnterAsync(
        DbSyncScope scope, ReplicaNeeds needs, ReadConsistency consistency, IReadOnlyDictionary<string, object?> parameters, bool async, CancellationToken cancellationToken)
    {
        var settings = scope.Settings;
        if (scope.Directory.Node is not { } node) return new(RouteReason.NoReplica, "there is no replica in the data directory yet");
        var layout = scope.Directory.Layout;
        var shard = layout is not null ? ShardChoice.Of(needs, layout, node, parameters, scope.Context) : null;
        if (shard is null && layout is not null && !scope.Directory.HoldsAll(layout, node)) return new(RouteReason.NoReplica, "this node holds some of the rows only");
        if (shard is null && node.Shards.Count > ShardUnion.ShardsMax) return new(RouteReason.NoReplica, "it asks for more than one of more than ten shards");
        var link = scope.Link;
        if (await link.GetFactsAsync(scope.Primary, settings, node.Publication, async, cancellationToken).ConfigureAwait(false) is not { } facts)
            return new(RouteReason.OtherDatabase, "the primary can't be asked what it is");
        if (Differs(node, facts)) return new(RouteReason.OtherDatabase, "the context is connected to another database, or to a standby");

        var session = scope.Session;
        var need = session.Need(link);
        var required = Lsn.Zero;
        if (consistency.Kind == ReadConsistency.Level.Strong || (consistency.Kind == ReadConsistency.Level.Session && need.IsDirty))
            required = await AskAsync(scope, link, session, async, cancellationToken).ConfigureAwait(false);
        else if (consistency.Kind == ReadConsistency.Level.Session)
            required = Lsn.Max(need.Own, need.Joined);

        if (scope.Lease is { } open)
        {
            var age = Ages(open.Snapshot, facts, settings, consistency, required);
            if (age == Age.Unproven) required = await AskAsync(scope, link, session, async, cancellationToken).ConfigureAwait(false);
            return age == Age.Old
                ? new(RouteReason.NotFresh, "another query of this context still reads a snapshot that is older than the limit")
                : Share(open, shard, layout, needs, facts, required, session, link);
        }
        var connection = scope.Directory.Take(shard);
        if (connection is null)
            return scope.Directory.HasSetAside ? new(RouteReason.Failed, "a shard file that failed is set aside") : new(RouteReason.NoReplica, "the shard file isn't there yet");
        var healthy = false;
        try
        {
            var started = settings.Time.GetTimestamp();
            var nudged = false;
            var asked = consistency.Kind != ReadConsistency.Level.Session || need.IsDirty;
            while (true)
            {
                var snapshot = connection.Begin();
                if (await link.FollowRightsAsync(snapshot, scope.Primary, settings, node.Publication, async, cancellationToken).ConfigureAwait(false) is not { } current)
                {
                    healthy = true;
                    return new(RouteReason.OtherDatabase, "rights have changed, and the primary can't be asked which");
                }
                facts = current;
                if (snapshot.Catalog.Layout?.Version != layout?.Version) return new(RouteReason.NotFresh, "the shard map has just changed");
                if (needs.Check(snapshot.Catalog, facts) is { } refusal)
                {
                    healthy = true;
                    return new(refusal.Reason, refusal.Detail);
                }
                if (snapshot.Position >= required)
                {
                    switch (Ages(snapshot, facts, settings, consistency, required))
                    {
                        case Age.Young:
                            session.Observe(link, snapshot.Position);
                            var lease = new ReplicaLease(scope, connection, snapshot);
                            connection = null;
                            return new(lease);
                        case Age.Old:
                            healthy = true;
                            return Refuse(settings, "its newest heartbeat is older than the limit");
                        default: // its heartbeat doesn't prove the bound: the primary's position does
                            required = await AskAsync(scope, link, session, async, cancellationToken).ConfigureAwait(false);
                            if (snapshot.Position >= required) goto case Age.Young;
                            break;
                    }
                }
                connection.End();
                var waited = settings.Time.GetElapsedTime(started);
                var isStale = (scope.Directory.Node ?? node).StaleSince is not null; // looked at again: it may have become so while this read waits
                if (isStale || waited >= settings.WaitMax)
                {
                    healthy = true;
                    return Refuse(settings, !isStale ? "it has not applied what this read must see" : "it stands still: everything is being copied again");
                }
                if (!nudged && waited >= NudgeAfter)
                {
                    nudged = true;
                    if (!asked && need.Joined > need.Own) // a token from outside: never wait for more than the primary has
                        required = Lsn.Min(required, Lsn.Max(need.Own, await AskAsync(scope, link, session, async, cancellationToken).ConfigureAwait(false)));
                    await link.NudgeAsync(scope.Primary, settings.WaitMax - waited, async, cancellationToken).ConfigureAwait(false);
                }
                if (async) await Task.Delay(Poll, settings.Time, cancellationToken).ConfigureAwait(false);
                else cancellationToken.WaitHandle.WaitOne(Poll);
            }
        }
        finally
        {
            if (connection is not null) scope.Directory.Return(connection, healthy);
        }
    }

    private enum Age
    {
        Young,
        Old,
        Unproven,
    }

    private static GateAnswer Share(
        ReplicaLease open, int? shard, ShardLayout? layout, ReplicaNeeds needs, PrimaryFacts facts, Lsn required, DbSyncSession session, PrimaryLink link)
    {
        if (open.Connection.Shard is { } only && (shard != only || open.Snapshot.Catalog.Layout?.Version != layout?.Version))
            return new(RouteReason.NotFresh, "another query of this context still reads another shard");
        if (open.Snapshot.Position < required) return new(RouteReason.NotFresh, "another query of this context still reads an older snapshot");
        if (needs.Check(open.Snapshot.Catalog, facts) is { } refusal) return new(refusal.Reason, refusal.Detail);
        open.Share();
        session.Observe(link, open.Snapshot.Position);
        return new(open);
    }

    private static async ValueTask<Lsn> AskAsync(DbSyncScope scope, PrimaryLink link, DbSyncSession session, bool async, CancellationToken cancellationToken)
    {
        var mark = session.Mark();
        var position = await PrimaryLink.ReadPositionAsync(scope.Primary, scope.Settings.WaitMax, async, cancellationToken).ConfigureAwait(false);
        session.Learn(link, position, mark);
        return position;
    }

    private static Age Ages(ReplicaSnapshot snapshot, PrimaryFacts facts, DbSyncSettings settings, ReadConsistency consistency, Lsn required)
    {
        if (consistency.Kind is ReadConsistency.Level.Strong or ReadConsistency.Level.Eventual) return Age.Young;
        var age = snapshot.BeatAt is { } beat ? settings.Time.GetUtcNow() + facts.ClockOffset - beat : TimeSpan.MaxValue;
        if (consistency.Kind == ReadConsistency.Level.Bounded)
            return age <= consistency.Bound || required > Lsn.Zero ? Age.Young : Age.Unproven;
        return settings.StalenessMax is not { } limit || age <= limit ? Age.Young : Age.Old;
    }

    private static bool Differs(NodeFile node, PrimaryFacts facts) =>
        !facts.IsPrimary
        || (node.SystemIdentifier.Length > 0 && node.SystemIdentifier != facts.SystemIdentifier.ToString())
        || (node.Database.Length > 0 && node.Database != facts.Database);

    /// <summary>The answer when the replica can't give what was asked for.</summary>
    /// <exception cref="DbSyncException">DBS7002 when the context wants to be told.</exception>
    public static GateAnswer Refuse(DbSyncSettings settings, string why) => settings.OnRefusal == OnRefusal.Throw
        ? throw new DbSyncException(
            ErrorCodes.NotFreshEnough, $"The replica is not fresh enough: {why}.", "See 'dbsync status'; wait longer, ask for less, or let the primary answer.")
        : new GateAnswer(RouteReason.NotFresh, why);
}

/// <summary>A lease, or why there is none.</summary>
internal readonly record struct GateAnswer(ReplicaLease? Lease, RouteReason Reason, string Detail)
{
    public GateAnswer(ReplicaLease lease)
        : this(lease, RouteReason.Replica, lease.Connection.Detail)
    {
    }

    public GateAnswer(RouteReason reason, string detail)
        : this(null, reason, detail)
    {
    }
}
