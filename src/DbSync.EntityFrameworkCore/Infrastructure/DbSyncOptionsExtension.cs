using System.Globalization;
using DbSync.EntityFrameworkCore.Consistency;
using DbSync.EntityFrameworkCore.Migrating;
using DbSync.EntityFrameworkCore.Routing;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;
using Npgsql.EntityFrameworkCore.PostgreSQL.Migrations.Internal;

namespace DbSync.EntityFrameworkCore.Infrastructure;

/// <summary>DbSync among a context's options: it replaces EF Core's <see cref="IDatabase"/>, and watches what the primary is told.</summary>
internal sealed class DbSyncOptionsExtension(DbSyncSettings settings) : IDbContextOptionsExtension
{
    public DbSyncSettings Settings => settings;

    public DbContextOptionsExtensionInfo Info => field ??= new ExtensionInfo(this);

    public void ApplyServices(IServiceCollection services)
    {
        services.AddSingleton<ReplicaCompanion>();
        services.AddSingleton<RouteLog>();
        services.AddScoped<DbSyncScope>();
        services.AddScoped<IResettableService>(p => p.GetRequiredService<DbSyncScope>());
        services.AddScoped<IDatabase, DbSyncDatabase>(); // not TryAdd: it wins in either order of the extensions
        services.AddScoped<IInterceptor, PrimaryWatcher>();
        services.AddSingleton<IRelationalAnnotationProvider, SyncAnnotationProvider>();
        services.AddScoped<IMigrationsSqlGenerator, SyncMigrationsSqlGenerator>();
        services.AddScoped<IMigrator>(p => new TellingMigrator(ActivatorUtilities.CreateInstance<NpgsqlMigrator>(p), p.GetRequiredService<IRelationalConnection>()));
    }

    public void Validate(IDbContextOptions options)
    {
        if (options.FindExtension<CoreOptionsExtension>()?.InternalServiceProvider is not null)
            throw new DbSyncException(
                ErrorCodes.CannotPlugIn, "UseDbSync can't work with UseInternalServiceProvider: EF Core then ignores what a plug-in adds.",
                "Remove UseInternalServiceProvider from this context's options.");
        var providers = options.Extensions.Where(e => e.Info.IsDatabaseProvider).ToList();
        if (providers.Count != 1 || !ReplicaCompanion.IsNpgsql(providers[0]))
            throw new DbSyncException(ErrorCodes.CannotPlugIn, "UseDbSync needs the Npgsql provider.", "Call UseNpgsql on the same options.");
    }

    private sealed class ExtensionInfo(DbSyncOptionsExtension extension) : DbContextOptionsExtensionInfo(extension)
    {
        public override bool IsDatabaseProvider => false;

        public override string LogFragment => "using DbSync ";

        // The services hold nothing of the settings, so contexts with other settings share them.
        public override int GetServiceProviderHashCode() => 0;

        public override bool ShouldUseSameServiceProvider(DbContextOptionsExtensionInfo other) => other is ExtensionInfo;

        public override void PopulateDebugInfo(IDictionary<string, string> debugInfo) =>
            debugInfo["DbSync"] = extension.Settings.Consistency.GetHashCode().ToString(CultureInfo.InvariantCulture);
    }
}
