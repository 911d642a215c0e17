using DbSync.EntityFrameworkCore.Consistency;
using Microsoft.EntityFrameworkCore;

namespace DbSync.EntityFrameworkCore;

/// <summary>The options of <c>UseDbSync</c>.</summary>
public sealed class DbSyncOptionsBuilder
{
    internal DbSyncOptionsBuilder(DbSyncSettings settings) => Settings = settings;

    internal DbSyncSettings Settings { get; private set; }

    /// <summary>The level of queries that name none with <c>WithConsistency</c>. Default: <see cref="ReadConsistency.Session"/>.</summary>
    public DbSyncOptionsBuilder UseConsistency(ReadConsistency consistency) => With(Settings with { Consistency = consistency });

    /// <summary>How long a query waits for the replica to be fresh enough, and what happens then. Default: 200 ms, then the primary answers.</summary>
    /// <param name="timeout">Zero: don't wait.</param>
    /// <param name="then">What happens to a query that has waited in vain.</param>
    public DbSyncOptionsBuilder WaitUpTo(TimeSpan timeout, OnRefusal then = OnRefusal.Primary)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(timeout, TimeSpan.Zero);
        return With(Settings with { WaitMax = timeout, OnRefusal = then });
    }

    /// <summary>
    /// How old a replica may be and still answer queries of the level Session; null for no limit. Default: 60 s. A replica whose node has
    /// stopped grows older than that, and the primary answers.
    /// </summary>
    public DbSyncOptionsBuilder LimitStaleness(TimeSpan? limit) => With(Settings with { StalenessMax = limit });

    /// <summary>The mode of this context. Default: that of <see cref="RoutingSwitch.For"/>, which can be switched while the application runs.</summary>
    public DbSyncOptionsBuilder UseRouting(RoutingMode mode) => With(Settings with { Routing = mode });

    /// <summary>
    /// A query that could have been routed, and isn't, throws <c>DBS7001</c> with the reason instead of being answered by the primary. For
    /// tests. Queries that belong to the primary (tracked, in a transaction, <c>UsePrimary</c>) don't throw.
    /// </summary>
    public DbSyncOptionsBuilder ThrowOnFallback(bool enabled = true) => With(Settings with { ThrowOnFallback = enabled });

    /// <summary>
    /// Routes queries that track entities too (also <c>Find</c> and lazy loading). Default: they are the primary's. The risk: such an entity may be older than
    /// the primary's row, so the time between reading and saving, in which somebody else's change is overwritten without a word, grows by the
    /// replica's lag. An entity with a concurrency token is safe: saving an older one throws <see cref="DbUpdateConcurrencyException"/>.
    /// </summary>
    public DbSyncOptionsBuilder RouteTrackedReads(bool enabled = true) => With(Settings with { RouteTrackedReads = enabled });

    /// <summary>
    /// Says that the context's connection interceptors change nothing that an answer depends on. Without it a context with such an interceptor
    /// isn't routed: it may choose a schema or a tenant on the connection (<c>SET search_path</c>), which a replica never sees. The same for connections
    /// that are not reset when they go back to their pool (<c>No Reset On Close</c>): say here that nothing is set on them.
    /// </summary>
    public DbSyncOptionsBuilder TrustConnectionInterceptors() => With(Settings with { TrustConnectionInterceptors = true });

    /// <summary>
    /// Routes tables under row-level security too. The replica holds every row and applies no policy: only for contexts that may see all of them.
    /// </summary>
    public DbSyncOptionsBuilder IgnoreRowLevelSecurity() => With(Settings with { IgnoreRowLevelSecurity = true });

    /// <summary>
    /// Encrypts and authenticates the tokens of <c>GetSyncTokenAsync</c> (AES-256-GCM), so that they can be handed to a browser; <c>JoinSyncToken</c> then takes
    /// those only. Everybody who exchanges tokens needs the same key: from configuration or a vault, never made at start. Default: none, the tokens are
    /// plain.
    /// </summary>
    /// <param name="key">At least 32 random bytes.</param>
    /// <param name="earlier">Keys that sealed tokens which are still on their way: give the new key everywhere as an earlier one first, then as <paramref name="key"/>.</param>
    /// <exception cref="ArgumentException">A key is shorter than 32 bytes.</exception>
    public DbSyncOptionsBuilder UseSyncTokenKey(byte[] key, params byte[][] earlier)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(earlier);
        byte[][] keys = [key, .. earlier];
        if (keys.Any(k => k.Length < SyncTokenSeal.KeyBytesMin))
            throw new ArgumentException($"A key for tokens has at least {SyncTokenSeal.KeyBytesMin} bytes.", nameof(key));
        return With(Settings with { Seal = new SyncTokenSeal(keys) });
    }

    private DbSyncOptionsBuilder With(DbSyncSettings settings)
    {
        Settings = settings;
        return this;
    }
}
