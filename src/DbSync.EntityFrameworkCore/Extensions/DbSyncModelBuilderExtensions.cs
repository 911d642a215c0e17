using System.Linq.Expressions;
using DbSync.EntityFrameworkCore.Migrating;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Microsoft.EntityFrameworkCore;

/// <summary>
/// Says in the model how tables are replicated. It travels in ordinary migrations: <c>dotnet ef migrations add</c> writes it as annotations of
/// <c>CreateTable</c> and <c>AlterTable</c>, with their way back, and running the migration in a context with <c>UseDbSync</c> changes the
/// publications and the shard maps on the primary. Replicas follow at that place of the log.
/// </summary>
public static class DbSyncModelBuilderExtensions
{
    /// <summary>
    /// Shards the entity's table: each shard of a sharded replica holds the rows whose key falls to it. A replica without shards holds all rows.
    /// Running the migration fails for a key that may be NULL, is not in the table's replica identity (its primary key, normally), or is of a
    /// type that can't be hashed.
    /// </summary>
    /// <param name="entity">The entity.</param>
    /// <param name="key">The property, or an anonymous object of several, in key order: <c>o => o.CustomerId</c>.</param>
    public static EntityTypeBuilder<TEntity> IsSharded<TEntity>(this EntityTypeBuilder<TEntity> entity, Expression<Func<TEntity, object?>> key)
        where TEntity : class
    {
        ArgumentNullException.ThrowIfNull(entity);
        ArgumentNullException.ThrowIfNull(key);
        entity.Metadata.RemoveAnnotation(SyncAnnotations.Placement);
        return entity.HasAnnotation(SyncAnnotations.ShardKey, key.GetMemberAccessList().Select(m => m.Name).ToArray());
    }

    /// <summary>Has every shard hold the entity's table whole, whatever its size.</summary>
    /// <param name="entity">The entity.</param>
    public static EntityTypeBuilder<TEntity> IsReference<TEntity>(this EntityTypeBuilder<TEntity> entity)
        where TEntity : class => Place(entity, SyncAnnotations.Reference);

    /// <summary>Keeps the entity's table on the primary: it is in no publication, and its queries go to the primary.</summary>
    /// <param name="entity">The entity.</param>
    public static EntityTypeBuilder<TEntity> IsNotReplicated<TEntity>(this EntityTypeBuilder<TEntity> entity)
        where TEntity : class => Place(entity, SyncAnnotations.None);

    /// <summary>
    /// Keeps the property's column on the primary: publications list the table's other columns, and queries that need this one go to the
    /// primary. Needs PostgreSQL 15; a column of the table's replica identity can't be kept, running the migration fails then.
    /// </summary>
    /// <param name="property">The property.</param>
    public static PropertyBuilder<TProperty> IsNotReplicated<TProperty>(this PropertyBuilder<TProperty> property)
    {
        ArgumentNullException.ThrowIfNull(property);
        return property.HasAnnotation(SyncAnnotations.NotReplicated, true);
    }

    private static EntityTypeBuilder<TEntity> Place<TEntity>(EntityTypeBuilder<TEntity> entity, string placement)
        where TEntity : class
    {
        ArgumentNullException.ThrowIfNull(entity);
        entity.Metadata.RemoveAnnotation(SyncAnnotations.ShardKey);
        return entity.HasAnnotation(SyncAnnotations.Placement, placement);
    }
}
