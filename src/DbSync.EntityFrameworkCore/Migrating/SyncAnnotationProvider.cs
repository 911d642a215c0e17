using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Metadata;
using Npgsql.EntityFrameworkCore.PostgreSQL.Metadata.Internal;

namespace DbSync.EntityFrameworkCore.Migrating;

/// <summary>
/// Puts on a table what its entities say of its replication, by column: so EF Core's own comparison of models finds every change of it, and
/// writes it into migrations with its way back. A table of which nothing is said gets nothing.
/// </summary>
internal sealed class SyncAnnotationProvider(RelationalAnnotationProviderDependencies dependencies) : NpgsqlAnnotationProvider(dependencies)
{
    public override IEnumerable<IAnnotation> For(ITable table, bool designTime)
    {
        foreach (var annotation in base.For(table, designTime)) yield return annotation;
        if (!designTime) yield break;
        var entities = table.EntityTypeMappings.Select(m => m.TypeBase).OfType<IEntityType>().ToList();
        if (Said(entities, SyncAnnotations.ShardKey) is (IEntityType sharded, string[] key))
            yield return new Annotation(SyncAnnotations.ShardKey, key.Select(p => ColumnOf(table, sharded, p)).ToArray());
        if (Said(entities, SyncAnnotations.Placement) is (_, string placement)) yield return new Annotation(SyncAnnotations.Placement, placement);
        var hidden = table.Columns
            .Where(c => c.PropertyMappings.Any(m => m.Property.FindAnnotation(SyncAnnotations.NotReplicated)?.Value is true))
            .Select(c => c.Name).Order(StringComparer.Ordinal).ToArray();
        if (hidden.Length > 0) yield return new Annotation(SyncAnnotations.NotReplicated, hidden);
    }

    private static (IEntityType, object)? Said(List<IEntityType> entities, string name)
    {
        foreach (var entity in entities)
            if (entity.FindAnnotation(name)?.Value is { } value) return (entity, value);
        return null;
    }

    private static string ColumnOf(ITable table, IEntityType entity, string property) =>
        entity.FindProperty(property)?.GetColumnName(StoreObjectIdentifier.Table(table.Name, table.Schema))
        ?? throw new DbSyncException(
            ErrorCodes.CannotPlugIn, $"{entity.DisplayName()} is to be sharded by {property}, which is no column of {table.SchemaQualifiedName}.",
            "Name mapped properties of the entity itself in IsSharded.");
}
