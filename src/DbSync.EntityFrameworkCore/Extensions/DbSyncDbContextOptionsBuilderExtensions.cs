using DbSync.EntityFrameworkCore.Infrastructure;
using DbSync.EntityFrameworkCore;
using DbSync;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.Options;

namespace Microsoft.EntityFrameworkCore;

#pragma warning disable RS0026 // the generic overload only keeps the builder's type, as EF Core's own do

/// <summary>Plugs DbSync into a context.</summary>
public static class DbSyncDbContextOptionsBuilderExtensions
{
    /// <summary>
    /// Lets the local replica answer the context's reads; writes, and everything that the replica might answer differently, go to PostgreSQL as
    /// before. Needs <c>UseNpgsql</c> on the same options.
    /// </summary>
    /// <param name="options">The context's options.</param>
    /// <param name="dataDirectory">The data directory of the node that keeps the replica: what <c>dbsync run --data</c> was given. While nothing is there yet, the primary answers.</param>
    /// <param name="configure">Settings; see <see cref="DbSyncOptionsBuilder"/>.</param>
    public static DbContextOptionsBuilder UseDbSync(
        this DbContextOptionsBuilder options, string dataDirectory, Action<DbSyncOptionsBuilder>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentException.ThrowIfNullOrWhiteSpace(dataDirectory);
        var builder = new DbSyncOptionsBuilder(new DbSyncSettings(Path.TrimEndingDirectorySeparator(Path.GetFullPath(dataDirectory))));
        configure?.Invoke(builder);
        ((IDbContextOptionsBuilderInfrastructure)options).AddOrUpdateExtension(new DbSyncOptionsExtension(builder.Settings));
        return options;
    }

    /// <summary>As the other one, with the data directory that <c>AddDbSync</c> was given in code or configuration.</summary>
    /// <param name="options">The context's options.</param>
    /// <param name="services">The application's services.</param>
    /// <param name="configure">Settings; see <see cref="DbSyncOptionsBuilder"/>.</param>
    /// <exception cref="DbSyncException">DBS7003 when no data directory is configured.</exception>
    public static DbContextOptionsBuilder UseDbSync(
        this DbContextOptionsBuilder options, IServiceProvider services, Action<DbSyncOptionsBuilder>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        var directory = (services.GetService(typeof(IOptions<DbSyncOptions>)) as IOptions<DbSyncOptions>)?.Value.DataDirectory ?? throw new DbSyncException(
            ErrorCodes.CannotPlugIn, "The services name no data directory.", "Call services.AddDbSync() and set DbSync:DataDirectory, or give UseDbSync the directory.");
        return UseDbSync(options, directory, configure);
    }

    /// <inheritdoc cref="UseDbSync(DbContextOptionsBuilder, string, Action{DbSyncOptionsBuilder}?)"/>
    public static DbContextOptionsBuilder<TContext> UseDbSync<TContext>(
        this DbContextOptionsBuilder<TContext> options, string dataDirectory, Action<DbSyncOptionsBuilder>? configure = null)
        where TContext : DbContext
    {
        UseDbSync((DbContextOptionsBuilder)options, dataDirectory, configure);
        return options;
    }
}
