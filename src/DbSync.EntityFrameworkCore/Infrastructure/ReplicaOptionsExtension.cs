using System.Runtime.CompilerServices;
using DbSync.EntityFrameworkCore.Modeling;
using DbSync.EntityFrameworkCore.Parity;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Infrastructure.Internal;
using Microsoft.EntityFrameworkCore.Internal;
using Microsoft.EntityFrameworkCore.Metadata.Conventions.Infrastructure;
using Microsoft.EntityFrameworkCore.Query;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace DbSync.EntityFrameworkCore.Infrastructure;

/// <summary>What DbSync adds to the SQLite provider's own services, behind a context that the application never sees.</summary>
internal sealed class ReplicaOptionsExtension(MainTypeMappings mappings) : IDbContextOptionsExtension
{
    public DbContextOptionsExtensionInfo Info => field ??= new ExtensionInfo(this);

    private MainTypeMappings Mappings => mappings;

    public void ApplyServices(IServiceCollection services)
    {
        services.AddSingleton(mappings);
        services.AddSingleton<IRelationalTypeMappingSourcePlugin, ReplicaTypeMappings>();
        services.AddSingleton<IModelCacheKeyFactory, ReplicaModelKey>();
        services.AddScoped<IConventionSetPlugin, ReplicaModelConvention>();
        services.AddScoped<IMemberTranslatorPlugin, ReplicaMemberTranslators>();
        services.AddScoped<ReplicaCompilation>();
        services.AddScoped<IQueryCompilationContextFactory, FilterNotingContextFactory>();
        services.AddScoped<IQueryTranslationPreprocessorFactory, ReplicaPreprocessorFactory>();
        services.AddScoped<IQueryTranslationPostprocessorFactory, ReplicaPostprocessorFactory>();
        services.AddSingleton<IQuerySqlGeneratorFactory, ReplicaSqlGeneratorFactory>();
        services.AddScoped(DetectorOf);
    }

    public void Validate(IDbContextOptions options)
    {
        // Made by DbSync itself.
    }

    /// <summary>One context, one detector. The host asks for it while it is being built, and must not ask itself.</summary>
    private static IConcurrencyDetector DetectorOf(IServiceProvider services) =>
        services.GetRequiredService<ICurrentDbContext>().Context is var context and not ReplicaCompanion.HostContext
            ? context.GetService<IConcurrencyDetector>()
            : new ConcurrencyDetector();

    private sealed class ExtensionInfo(ReplicaOptionsExtension extension) : DbContextOptionsExtensionInfo(extension)
    {
        public override bool IsDatabaseProvider => false;

        public override string LogFragment => "DbSync replica ";

        public override int GetServiceProviderHashCode() => RuntimeHelpers.GetHashCode(extension.Mappings.Source);

        public override bool ShouldUseSameServiceProvider(DbContextOptionsExtensionInfo other) =>
            other is ExtensionInfo { Extension: ReplicaOptionsExtension mine } && ReferenceEquals(mine.Mappings.Source, extension.Mappings.Source);

        public override void PopulateDebugInfo(IDictionary<string, string> debugInfo) => debugInfo["DbSync:Replica"] = "1";
    }

    /// <summary>One replica model for each main model: applications may make several from one context type.</summary>
    private sealed class ReplicaModelKey : IModelCacheKeyFactory
    {
        public object Create(DbContext context, bool designTime) =>
            context is ReplicaCompanion.HostContext ? (typeof(ReplicaCompanion.HostContext), designTime) : (context.Model, designTime);
    }
}
