using Microsoft.EntityFrameworkCore.ChangeTracking.Internal;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Query;

namespace DbSync.EntityFrameworkCore.Routing;

/// <summary>
/// The execution of a query on the replica. What it tracks goes to the context's own state manager, under the main model's types: from there on
/// an entity doesn't remember where it was read. (Identity resolution without tracking stays EF Core's.)
/// </summary>
internal sealed class ReplicaQueryContext(QueryContextDependencies dependencies, RelationalQueryContextDependencies relationalDependencies)
    : RelationalQueryContext(dependencies, relationalDependencies)
{
    private IStateManager? _main;

    public override void InitializeStateManager(bool standAlone = false)
    {
        if (standAlone) base.InitializeStateManager(standAlone);
        else _main = Context.GetService<IStateManager>();
    }

    public override InternalEntityEntry? TryGetEntry(IKey key, object[] keyValues, bool throwOnNullKey, out bool hasNullKey) => _main is null
        ? base.TryGetEntry(key, keyValues, throwOnNullKey, out hasNullKey)
        : _main.TryGetEntry(MainOf(key.DeclaringEntityType).FindPrimaryKey()!, keyValues, throwOnNullKey, out hasNullKey);

    public override InternalEntityEntry StartTracking(IEntityType entityType, object entity, in ISnapshot snapshot) => _main is null
        ? base.StartTracking(entityType, entity, snapshot)
        : _main.StartTrackingFromQuery(MainOf(entityType), entity, snapshot);

    public override void SetNavigationIsLoaded(object entity, INavigationBase navigation)
    {
        if (_main is null) base.SetNavigationIsLoaded(entity, navigation);
        else if (MainOf(navigation.DeclaringEntityType) is var type && (type.FindNavigation(navigation.Name) ?? (INavigationBase?)type.FindSkipNavigation(navigation.Name)) is { } own)
            _main.TryGetEntry(entity)?.SetIsLoaded(own);
    }

    private IEntityType MainOf(IEntityType replica) => Context.Model.FindEntityType(replica.Name)!;
}
