using DbSync.Locking;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.DependencyInjection;

namespace DbSync.EntityFrameworkCore.Locking;

/// <summary>Range locks among a context's options: where they are taken, and the fence that guards what is written under them.</summary>
internal sealed class RangeLockOptionsExtension(IRangeLockManager locks, IFence fence) : IDbContextOptionsExtension
{
    public IRangeLockManager Locks => locks;

    public IFence Fence => fence;

    public DbContextOptionsExtensionInfo Info => field ??= new ExtensionInfo(this);

    public void ApplyServices(IServiceCollection services)
    {
        services.AddScoped<AttachedLocks>();
        services.AddScoped<IResettableService>(p => p.GetRequiredService<AttachedLocks>());
        services.AddScoped<IInterceptor, FenceInterceptor>();
    }

    public void Validate(IDbContextOptions options)
    {
        if (options.FindExtension<CoreOptionsExtension>()?.InternalServiceProvider is not null)
            throw new DbSyncException(
                ErrorCodes.CannotPlugIn, "UseRangeLocks can't work with UseInternalServiceProvider: EF Core then ignores what a plug-in adds.",
                "Remove UseInternalServiceProvider from this context's options.");
        if (options.Extensions.SingleOrDefault(e => e.Info.IsDatabaseProvider) is not { } provider || !Infrastructure.ReplicaCompanion.IsNpgsql(provider))
            throw new DbSyncException(
                ErrorCodes.CannotPlugIn, "UseRangeLocks needs the Npgsql provider: the fence is in PostgreSQL.", "Call UseNpgsql on the same options.");
    }

    private sealed class ExtensionInfo(RangeLockOptionsExtension extension) : DbContextOptionsExtensionInfo(extension)
    {
        public override bool IsDatabaseProvider => false;

        public override string LogFragment => "using range locks ";

        // The services hold nothing of the settings, so contexts with other settings share them.
        public override int GetServiceProviderHashCode() => 0;

        public override bool ShouldUseSameServiceProvider(DbContextOptionsExtensionInfo other) => other is ExtensionInfo;

        public override void PopulateDebugInfo(IDictionary<string, string> debugInfo) => debugInfo["DbSync:RangeLocks"] = "1";
    }
}
