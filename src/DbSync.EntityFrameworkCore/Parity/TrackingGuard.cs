using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Metadata.Internal;
using Microsoft.EntityFrameworkCore.Query;

namespace DbSync.EntityFrameworkCore.Parity;

/// <summary>
/// Notes the entities with a key that a tracking query gives out, anywhere in its result. They are the primary's unless the context routes tracked
/// reads; then the shadow properties of both models must lie alike, since EF Core hands them over by their place.
/// </summary>
internal sealed class TrackingGuard(ReplicaNeeds needs, IModel main) : ExpressionVisitor
{
    private readonly HashSet<IEntityType> _seen = [];

    protected override Expression VisitExtension(Expression node)
    {
        if (node is StructuralTypeShaperExpression { StructuralType: IEntityType entity } && entity.FindPrimaryKey() is not null)
        {
            needs.Tracked ??= entity.ShortName();
            Compare(entity);
        }
        if (node is not ShapedQueryExpression shaped) return base.VisitExtension(node);
        Visit(shaped.ShaperExpression);
        return node;
    }

    private void Compare(IEntityType entity)
    {
        foreach (var type in entity.GetDerivedTypesInclusive())
        {
            if (!_seen.Add(type)) continue;
            if (main.FindEntityType(type.Name) is not { } own || !Shadows(type).SequenceEqual(Shadows(own)))
                throw new NotRoutableException(RouteReason.Tracking, $"{type.ShortName()} has other shadow properties in the replica model");
            foreach (var owned in type.GetNavigations().Where(n => n.TargetEntityType.IsOwned())) Compare(owned.TargetEntityType);
        }
    }

    private static IEnumerable<(string Name, Type Type)> Shadows(IEntityType type) =>
        type.GetFlattenedProperties().Where(p => p.IsShadowProperty()).OrderBy(p => p.GetShadowIndex()).Select(p => (p.Name, p.ClrType));
}
