using DbSync;
using DbSync.EntityFrameworkCore;
using DbSync.EntityFrameworkCore.Consistency;
using DbSync.EntityFrameworkCore.Infrastructure;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Sessions, levels and routing of one context.</summary>
public static class DbSyncDbContextExtensions
{
    /// <summary>
    /// What the context's session has written and read so far, as a text for a header, a cookie or a job: whoever gives it to
    /// <see cref="JoinSyncToken"/> reads that or later, in this process or another. With <c>UseSyncTokenKey</c> it is encrypted and
    /// authenticated, fit for a browser; without, it is plain text that names the cluster and its log's position, and one that was made up costs a question to
    /// the primary at most.
    /// Asks the primary, once, if something was written since the last routed read.
    /// </summary>
    /// <param name="context">A context with <c>UseDbSync</c>.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <exception cref="DbSyncException">DBS2001 when the primary can't be asked.</exception>
    public static async Task<string> GetSyncTokenAsync(this DbContext context, CancellationToken cancellationToken = default)
    {
        var scope = DbSyncScope.Of(context);
        var (link, session) = (scope.Link, scope.Session);
        var facts = await link.GetFactsAsync(scope.Primary, scope.Settings, scope.Directory.Node?.Publication ?? "", async: true, cancellationToken).ConfigureAwait(false)
            ?? throw new DbSyncException(ErrorCodes.PrimaryUnreachable, "The primary can't be asked for its position.");
        var need = session.Need(link);
        var position = Lsn.Max(need.Own, need.Joined);
        if (need.IsDirty || need.Joined > need.Own || position == Lsn.Zero)
        {
            var mark = session.Mark();
            position = await PrimaryLink.ReadPositionAsync(scope.Primary, limit: null, async: true, cancellationToken).ConfigureAwait(false);
            session.Learn(link, position, mark);
        }
        var token = new SyncToken(facts.SystemIdentifier, facts.Timeline, position);
        return scope.Settings.Seal?.Seal(token) ?? token.ToString();
    }

    /// <summary>
    /// The context's session sees from now on what the token stands for. Text that is no token is ignored, and with <c>UseSyncTokenKey</c> whatever none of the
    /// keys has sealed.
    /// </summary>
    /// <param name="context">A context with <c>UseDbSync</c>.</param>
    /// <param name="token">What <see cref="GetSyncTokenAsync"/> gave; null for none.</param>
    public static void JoinSyncToken(this DbContext context, string? token)
    {
        var scope = DbSyncScope.Of(context);
        scope.Session.Join(token, scope.Settings.Seal);
    }

    /// <summary>Gives the context a session to share with others.</summary>
    /// <param name="context">A context with <c>UseDbSync</c>.</param>
    /// <param name="session">The session.</param>
    public static void UseSyncSession(this DbContext context, DbSyncSession session)
    {
        ArgumentNullException.ThrowIfNull(session);
        DbSyncScope.Of(context).Use(session);
    }

    /// <summary>The routing of this context alone, until it goes back to its pool.</summary>
    /// <param name="context">A context with <c>UseDbSync</c>.</param>
    /// <param name="mode">The mode; null: as its session or its options say.</param>
    public static void SetRouting(this DbContext context, RoutingMode? mode) => DbSyncScope.Of(context).Routing = mode;

    /// <summary>The consistency level of this context alone, until it goes back to its pool.</summary>
    /// <param name="context">A context with <c>UseDbSync</c>.</param>
    /// <param name="consistency">The level; null: as its session or its options say.</param>
    public static void SetReadConsistency(this DbContext context, ReadConsistency? consistency) => DbSyncScope.Of(context).Consistency = consistency;

    /// <summary>Where the context's last query went, and why; null before the first, and after the context went back to its pool.</summary>
    /// <param name="context">A context with <c>UseDbSync</c>.</param>
    public static QueryRoute? GetLastRoute(this DbContext context)
    {
        var scope = DbSyncScope.Of(context);
        return scope.LastRoute?.Describe(scope);
    }
}
