using DbSync.AspNetCore;
using DbSync.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Carries a user's session over HTTP.</summary>
public static class DbSyncSessionExtensions
{
    /// <summary>
    /// Adds what <see cref="UseDbSyncSession"/> needs: a <see cref="DbSyncSession"/> per request, and data protection. Application servers that serve the
    /// same users must share data protection's keys and application name, as they do for other cookies; a token of another key is ignored.
    /// </summary>
    /// <param name="services">The application's services.</param>
    /// <param name="configure">Cookie or header.</param>
    public static IServiceCollection AddDbSyncSession(this IServiceCollection services, Action<DbSyncSessionOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddDataProtection();
        services.TryAddScoped<DbSyncSession>();
        services.TryAddSingleton<SessionProtector>();
        services.AddOptions<DbSyncSessionOptions>();
        if (configure is not null) services.Configure(configure);
        return services;
    }

    /// <summary>
    /// From here on, requests of one user see what earlier requests of that user wrote and read, on whichever application server. What the session has come
    /// to is sent with the response's headers: writes after the response has begun belong to no later request.
    /// </summary>
    /// <param name="app">The application.</param>
    /// <exception cref="InvalidOperationException"><see cref="AddDbSyncSession"/> was not called.</exception>
    public static IApplicationBuilder UseDbSyncSession(this IApplicationBuilder app)
    {
        ArgumentNullException.ThrowIfNull(app);
        if (app.ApplicationServices.GetService<SessionProtector>() is null) throw new InvalidOperationException("Call services.AddDbSyncSession() first.");
        return app.UseMiddleware<DbSyncSessionMiddleware>();
    }
}
