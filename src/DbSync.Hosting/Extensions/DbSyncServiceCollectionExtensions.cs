using DbSync;
using DbSync.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds the engine to an application.</summary>
public static class DbSyncServiceCollectionExtensions
{
    /// <summary>
    /// Keeps the local replica up to date while the application runs. The options are those of the configuration's section <c>DbSync</c>, then what
    /// <paramref name="configure"/> says, and they are checked when the application starts. The application starts and serves whatever state
    /// primary and replica are in.
    /// </summary>
    /// <param name="services">The application's services.</param>
    /// <param name="configure">Settings in code.</param>
    public static IServiceCollection AddDbSync(this IServiceCollection services, Action<DbSyncBuilder>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddOptions<DbSyncOptions>()
            .Configure<IServiceProvider>((options, provider) => provider.GetService<IConfiguration>()?.GetSection(DbSyncOptions.SectionName).Bind(options))
            .ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<DbSyncOptions>, DbSyncOptionsValidator>());
        services.TryAddSingleton(TimeProvider.System);
        services.AddLogging();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, EngineService>());
        configure?.Invoke(new DbSyncBuilder(services));
        return services;
    }
}
