using DbSync.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Internal;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using Microsoft.EntityFrameworkCore.Metadata.Conventions;
using Microsoft.EntityFrameworkCore.Metadata.Conventions.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql.EntityFrameworkCore.PostgreSQL.Storage.Internal.Mapping;

namespace DbSync.EntityFrameworkCore.Modeling;

/// <summary>
/// Turns the model that the context's own OnModelCreating has just built for SQLite into the model of the replica: table and column names are the
/// main model's, stored forms those of the storage contract, and what belongs to PostgreSQL alone goes.
/// </summary>
internal sealed class ReplicaModelConvention(ICurrentDbContext current) : IConventionSetPlugin, IModelFinalizingConvention
{
    public ConventionSet ModifyConventions(ConventionSet conventionSet)
    {
        conventionSet.ModelFinalizingConventions.Add(this);
        return conventionSet;
    }

    public void ProcessModelFinalizing(IConventionModelBuilder modelBuilder, IConventionContext<IConventionModelBuilder> context)
    {
        if (current.Context is ReplicaCompanion.HostContext) return; // it has no entities
        var main = current.Context.Model;
        var model = (IMutableModel)modelBuilder.Metadata;
        model.SetDefaultSchema(null);
        foreach (var function in model.GetDbFunctions().ToList()) model.RemoveDbFunction(function.ModelName);
        foreach (var sequence in model.GetSequences().ToList()) model.RemoveSequence(sequence.Name, sequence.Schema);
        foreach (var entity in model.GetEntityTypes().ToList())
        {
            var source = main.FindEntityType(entity.Name) ?? throw new NotRoutableException(RouteReason.Model, $"{entity.DisplayName()} is not in the main model");
            Rename(entity, source);
            Convert(entity, source);
        }
    }

    private static void Rename(IMutableEntityType entity, IEntityType source)
    {
        foreach (var check in entity.GetCheckConstraints().ToList()) entity.RemoveCheckConstraint(check.ModelName);
        foreach (var trigger in entity.GetDeclaredTriggers().ToList()) entity.RemoveTrigger(trigger.ModelName);
        foreach (var index in entity.GetDeclaredIndexes().ToList()) entity.RemoveIndex(index);
        if (source.IsMappedToJson() && source.FindOwnership()?.PrincipalEntityType.IsMappedToJson() != true)
        {
            entity.SetContainerColumnName(source.GetContainerColumnName());
            entity.SetContainerColumnType("TEXT");
        }
        if (source.GetTableName() is { } table) entity.SetTableName(TableSchema.ReplicaNameOf(source.GetSchema() ?? "public", table));
        if (source.GetViewName() is { } view) entity.SetViewName(TableSchema.ReplicaNameOf(source.GetViewSchema() ?? "public", view));
        entity.SetSchema(null);
        if (source.GetViewName() is not null) entity.SetViewSchema(null);
    }

    private static void Convert(IMutableTypeBase type, ITypeBase source)
    {
        var store = StoreObjectOf(source.ContainingEntityType);
        foreach (var property in type.GetDeclaredProperties())
        {
            var main = source.FindProperty(property.Name)
                ?? throw new NotRoutableException(RouteReason.Model, $"{type.DisplayName()}.{property.Name} is not in the main model");
            if (source.IsMappedToJson()) property.SetJsonPropertyName(main.GetJsonPropertyName());
            else if (store is { } table && main.GetColumnName(table) is { } column) property.SetColumnName(column);
            property.SetColumnType(null);
            property.SetDefaultValueSql(null);
            property.SetComputedColumnSql(null);
            property.RemoveAnnotation(RelationalAnnotationNames.DefaultValue);
            property.RemoveAnnotation(RelationalAnnotationNames.Collation);
            if (source.IsMappedToJson()) ConvertJson(property, main);
            else ConvertColumn(property, main);
        }
        foreach (var complex in type.GetDeclaredComplexProperties())
        {
            var main = source.FindComplexProperty(complex.Name)
                ?? throw new NotRoutableException(RouteReason.Model, $"{type.DisplayName()}.{complex.Name} is not in the main model");
            if (main.ComplexType.IsMappedToJson() && !source.IsMappedToJson())
            {
                complex.ComplexType.SetContainerColumnName(main.ComplexType.GetContainerColumnName());
                complex.ComplexType.SetContainerColumnType("TEXT");
            }
            Convert(complex.ComplexType, main.ComplexType);
        }
    }

    /// <summary>JSON documents are PostgreSQL's own text: the main model's readers read them.</summary>
    private static void ConvertJson(IMutableProperty property, IProperty main)
    {
        var mapping = main.GetTypeMapping();
        if (mapping.Converter is { } converter) property.SetValueConverter(converter);
        else if (mapping.JsonValueReaderWriter is { } reader && mapping.ElementTypeMapping is null) property.SetJsonValueReaderWriterType(reader.GetType());
        property.SetAnnotation(ReplicaAnnotations.PgType, "json value");
    }

    private static void ConvertColumn(IMutableProperty property, IProperty main)
    {
        var mapping = main.GetRelationalTypeMapping();
        var pgType = mapping is NpgsqlEnumTypeMapping ? PgTypeName.Enum : PgTypeName.Of(mapping.StoreType);
        property.SetAnnotation(ReplicaAnnotations.PgType, pgType);
        if (mapping is NpgsqlEnumTypeMapping labels)
        {
            property.SetValueConverter(PgEnumConverter.Of(labels));
            return;
        }
        if (mapping.ElementTypeMapping is { } element)
        {
            if (element.Converter is not null || !StoredTypes.IsReadableArray(element.ClrType, pgType)) Refuse(property, pgType);
            return;
        }
        var stored = mapping.Converter?.ProviderClrType ?? mapping.ClrType;
        if (!StoredTypes.TryFind(stored, pgType, out var converter))
        {
            Refuse(property, pgType);
            return;
        }
        if (mapping.Converter is { } own) converter = converter is null ? own : own.ComposeWith(converter);
        if (converter is null) return;
        property.SetProviderClrType(null);
        property.SetValueConverter(converter);
    }

    private static void Refuse(IMutableProperty property, string pgType) =>
        property.SetAnnotation(ReplicaAnnotations.PrimaryOnly, $"its type ({pgType}) is read by PostgreSQL only");

    private static StoreObjectIdentifier? StoreObjectOf(IEntityType source) =>
        StoreObjectIdentifier.Create(source, StoreObjectType.Table) ?? StoreObjectIdentifier.Create(source, StoreObjectType.View);
}
