using System.Runtime.CompilerServices;
using DbSync.EntityFrameworkCore.Modeling;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Internal;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace DbSync.EntityFrameworkCore.Infrastructure;

/// <summary>
/// The SQLite provider's services beside the main context's Npgsql services; one for each service provider that EF Core keeps. A scope of them
/// serves one context and holds that very instance, so that query filters, constructors and OnModelCreating see what they always see.
/// </summary>
internal sealed class ReplicaCompanion(IRelationalTypeMappingSource mainMappings) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly ConditionalWeakTable<IModel, ReplicaModel> _models = [];
    private readonly ReplicaOptionsExtension _replica = new(new MainTypeMappings(mainMappings));
    private HostContext? _host;

    public static bool IsNpgsql(IDbContextOptionsExtension extension) =>
        extension.GetType().Assembly.GetName().Name?.StartsWith("Npgsql", StringComparison.Ordinal) == true;

    /// <summary>Opens a scope of the SQLite provider's services for a context.</summary>
    public ReplicaScope Open(DbContext context, IDbContextOptions main)
    {
        var scopes = Scopes(main);
        var model = _models.GetValue(context.Model, _ => BuildModel(scopes, context, main));
        if (model.Refusal is { } why) throw new NotRoutableException(RouteReason.Model, why);
        var opened = scopes.CreateScope();
        Initialize(opened.ServiceProvider, Options(main, context.GetType(), model.Model), context);
        return new ReplicaScope(opened, model.Model!);
    }

    private ReplicaModel BuildModel(IServiceScopeFactory scopes, DbContext context, IDbContextOptions main)
    {
        if (AppContext.TryGetSwitch("Npgsql.EnableLegacyTimestampBehavior", out var legacy) && legacy)
            return new ReplicaModel(null, "with Npgsql's legacy timestamp behaviour DateTimes mean something else");
        using var scope = scopes.CreateScope();
        try
        {
            Initialize(scope.ServiceProvider, Options(main, context.GetType(), model: null), context);
            // Not through the scope's model: EF Core would look for a compiled model of the context type, which is PostgreSQL's.
            var creation = scope.ServiceProvider.GetRequiredService<ModelCreationDependencies>();
            return new ReplicaModel(creation.ModelSource.GetModel(context, creation, designTime: false), null);
        }
        catch (Exception exception) when (exception is InvalidOperationException or NotSupportedException or ArgumentException or NotRoutableException)
        {
            return new ReplicaModel(null, $"the replica model can't be made: {exception.Message}"); // once; names only, no values
        }
    }

    public void Dispose() => _host?.Dispose();

    private IServiceScopeFactory Scopes(IDbContextOptions main)
    {
        lock (_gate)
        {
            _host ??= new HostContext(Options(main, typeof(HostContext), model: null, application: false));
            return _host.GetInfrastructure().GetRequiredService<IServiceScopeFactory>();
        }
    }

    private static void Initialize(IServiceProvider services, DbContextOptions options, DbContext context) =>
        services.GetRequiredService<IDbContextServices>().Initialize(services, options, context);

    /// <summary>The main context's options with SQLite in Npgsql's place.</summary>
    private DbContextOptions Options(IDbContextOptions main, Type contextType, IModel? model, bool application = true)
    {
        var builder = new DbContextOptionsBuilder((DbContextOptions)Activator.CreateInstance(typeof(DbContextOptions<>).MakeGenericType(contextType))!);
        var target = (IDbContextOptionsBuilderInfrastructure)builder;
        var core = main.FindExtension<CoreOptionsExtension>() ?? new CoreOptionsExtension();
        target.AddOrUpdateExtension(Core(core, model, application ? core.ApplicationServiceProvider : null));
        builder.UseSqlite();
        foreach (var extension in main.Extensions)
            if (extension is not (CoreOptionsExtension or DbSyncOptionsExtension or Locking.RangeLockOptionsExtension) && !IsNpgsql(extension)) Add(target, extension);
        target.AddOrUpdateExtension(_replica);
        return builder.Options;
    }

    private static CoreOptionsExtension Core(CoreOptionsExtension main, IModel? model, IServiceProvider? application)
    {
        var core = new CoreOptionsExtension()
            .WithModel(model)
            .WithApplicationServiceProvider(application)
            .WithLoggerFactory(main.LoggerFactory)
            .WithSensitiveDataLoggingEnabled(main.IsSensitiveDataLoggingEnabled)
            .WithDetailedErrorsEnabled(main.DetailedErrorsEnabled)
            .WithThreadSafetyChecksEnabled(main.ThreadSafetyChecksEnabled)
            .WithQueryTrackingBehavior(main.QueryTrackingBehavior)
            .WithWarningsConfiguration(main.WarningsConfiguration);
        if (main.Interceptors is { } interceptors) core = core.WithInterceptors(interceptors);
        if (main.SingletonInterceptors is { } singletons) core = core.WithSingletonInterceptors(singletons);
        foreach (var (service, implementation) in main.ReplacedServices ?? new Dictionary<(Type, Type?), Type>())
            if (service.Item1 != typeof(IModelCacheKeyFactory) && !IsOfNpgsql(implementation))
                core = core.WithReplacedService(service.Item1, implementation, service.Item2);
        return core;
    }

    private static bool IsOfNpgsql(Type? type) =>
        type is not null && (type.Assembly.GetName().Name?.StartsWith("Npgsql", StringComparison.Ordinal) == true || IsOfNpgsql(type.BaseType));

    // AddOrUpdateExtension files an extension under its compile-time type.
    private static void Add(IDbContextOptionsBuilderInfrastructure target, IDbContextOptionsExtension extension) =>
        typeof(IDbContextOptionsBuilderInfrastructure).GetMethod(nameof(target.AddOrUpdateExtension))!
            .MakeGenericMethod(extension.GetType()).Invoke(target, [extension]);

    /// <summary>The replica model of a main model, or why there is none.</summary>
    private sealed record ReplicaModel(IModel? Model, string? Refusal);

    /// <summary>Owns the SQLite provider's services; no query ever runs on it.</summary>
    internal sealed class HostContext(DbContextOptions options) : DbContext(options);
}
