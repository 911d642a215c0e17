using DbSync.EntityFrameworkCore;
using DbSync.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Infrastructure;

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
        var builder = new DbSyncOptionsBuilder(new DbSyncSettings(Path.GetFullPath(dataDirectory)));
        configure?.Invoke(builder);
        ((IDbContextOptionsBuilderInfrastructure)options).AddOrUpdateExtension(new DbSyncOptionsExtension(builder.Settings));
        return options;
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
