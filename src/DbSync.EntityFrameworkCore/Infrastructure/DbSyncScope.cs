using DbSync.EntityFrameworkCore.Consistency;
using DbSync.EntityFrameworkCore.Locking;
using DbSync.EntityFrameworkCore.Replicas;
using DbSync.EntityFrameworkCore.Routing;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Internal;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace DbSync.EntityFrameworkCore.Infrastructure;

/// <summary>What DbSync keeps for one context: its session, its SQLite services, and the snapshot that its running queries read.</summary>
internal sealed class DbSyncScope : IDisposable, IResettableService
{
    private readonly IDbContextOptions _options;
    private readonly ReplicaCompanion _companion;
    private readonly DbSyncSession _own = new();
    private ReplicaScope? _replica;
    private IRelationalConnection? _primary;
    private DbSyncSession? _given;
    private DbSyncSession? _ofScope;
    private bool _askedScope;
    private bool? _retries;
    private string? _linkedTo;
    private PrimaryLink? _link;

    public DbSyncScope(ICurrentDbContext current, IDbContextOptions options, ReplicaCompanion companion, RouteLog log,
        AttachedLocks? locks = null)
    {
        (Context, _options, _companion, Log, Locks) = (current.Context, options, companion, log, locks);
        Settings = options.FindExtension<DbSyncOptionsExtension>()!.Settings;
        Directory = ReplicaDirectory.For(Settings.DataDirectory);
        Switch = RoutingSwitch.For(Settings.DataDirectory);
        var core = options.FindExtension<CoreOptionsExtension>();
        HasConnectionInterceptors = !Settings.TrustConnectionInterceptors && core?.Interceptors?.Any(i => i is IDbConnectionInterceptor) == true;
    }

    public DbContext Context { get; }

    public DbSyncSettings Settings { get; }

    public RouteLog Log { get; }

    /// <summary>The locks the context writes under; null without <c>UseRangeLocks</c>.</summary>
    public AttachedLocks? Locks { get; }

    public ReplicaDirectory Directory { get; }

    public RoutingSwitch Switch { get; }

    /// <summary>The mode of this context alone; null: as its session, its options or the directory's switch say.</summary>
    public RoutingMode? Routing { get; set; }

    /// <summary>The level of this context alone; null: as its session or its options say.</summary>
    public ReadConsistency? Consistency { get; set; }

    public bool HasConnectionInterceptors { get; }

    /// <summary>Whether the context's queries are repeated when they fail (<c>EnableRetryOnFailure</c>).</summary>
    public bool Retries => _retries ??= Context.Database.CreateExecutionStrategy().RetriesOnFailure;

    /// <summary>The snapshot that queries of this context are reading now.</summary>
    public ReplicaLease? Lease { get; set; }

    /// <summary>Where the last query went.</summary>
    public LastRoute? LastRoute { get; set; }

    public RoutingMode Mode => Routing ?? Session.Routing ?? Settings.Routing ?? Switch.Mode;

    /// <summary>The level of queries that name none.</summary>
    public ReadConsistency Level => Consistency ?? Session.Consistency ?? Settings.Consistency;

    public IRelationalConnection Primary => _primary ??= Context.GetInfrastructure().GetRequiredService<IRelationalConnection>();

    /// <summary>The SQLite services; made when the first query needs them.</summary>
    /// <exception cref="NotRoutableException">The replica model can't be made from the context's model.</exception>
    public ReplicaScope Replica => _replica ??= _companion.Open(Context, _options);

    /// <summary>The way to the primary that the context uses now: it can change while a pooled context is out.</summary>
    public PrimaryLink Link
    {
        get
        {
            var connectionString = Primary.ConnectionString ?? "";
            if (_link is not null && connectionString == _linkedTo) return _link;
            (_linkedTo, _link) = (connectionString, PrimaryLink.Of(connectionString, Settings.IgnoreRowLevelSecurity));
            return _link;
        }
    }

    /// <summary>The session given to the context, or the flow's, or the DI scope's, or the context's own.</summary>
    public DbSyncSession Session => _given ?? DbSyncSession.Current ?? OfScope ?? _own;

    private DbSyncSession? OfScope
    {
        get
        {
            if (_askedScope) return _ofScope;
            _askedScope = true;
            var core = _options.FindExtension<CoreOptionsExtension>();
            if (core?.ApplicationServiceProvider is not { } services) return null;
            try
            {
                var session = services.GetService<DbSyncSession>();
                if (session is not null && (!KnowsRootOnly(core, services) || IsTheApplications(session, services))) _ofScope = session;
            }
            catch (InvalidOperationException)
            {
                // Where scopes are validated, the root provider gives out no scoped service.
            }
            return _ofScope;
        }
    }

    /// <summary>
    /// True for contexts of pools and factories, which live in no scope: the session that the root provider makes is everybody's. (It is itself the
    /// factory of scopes.)
    /// </summary>
    private static bool KnowsRootOnly(CoreOptionsExtension core, IServiceProvider services) =>
        core.MaxPoolSize is not null || ReferenceEquals(services.GetService<IServiceProvider>(), services.GetService<IServiceScopeFactory>());

    /// <summary>True for a session that was registered for the whole application: a scope gives the same one.</summary>
    private static bool IsTheApplications(DbSyncSession session, IServiceProvider services)
    {
        using var scope = services.CreateScope();
        return ReferenceEquals(scope.ServiceProvider.GetService<DbSyncSession>(), session);
    }

    /// <summary>A context's scope.</summary>
    /// <exception cref="DbSyncException">DBS7003 when the context has no <c>UseDbSync</c>.</exception>
    public static DbSyncScope Of(DbContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.GetInfrastructure().GetService(typeof(DbSyncScope)) as DbSyncScope ?? throw new DbSyncException(
            ErrorCodes.CannotPlugIn, "This context has no DbSync.", "Call UseDbSync on its options.");
    }

    public void Use(DbSyncSession session) => _given = session;

    public void MarkDirty() => Session.MarkDirty(Link);

    public void ResetState()
    {
        _own.Clear();
        (_given, Routing, Consistency, LastRoute) = (null, null, null, null);
        Lease?.Abandon();
    }

    public Task ResetStateAsync(CancellationToken cancellationToken = default)
    {
        ResetState();
        return Task.CompletedTask;
    }

    public void Dispose()
    {
        Lease?.Abandon();
        _replica?.Dispose();
    }
}
