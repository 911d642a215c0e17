using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Query;

namespace DbSync.EntityFrameworkCore.Parity;

/// <summary>Refuses a tracking query whose result holds an entity with a key, anywhere in it.</summary>
internal sealed class TrackingGuard : ExpressionVisitor
{
    protected override Expression VisitExtension(Expression node)
    {
        if (node is StructuralTypeShaperExpression { StructuralType: IEntityType entity } && entity.FindPrimaryKey() is not null)
            throw new NotRoutableException(RouteReason.Tracking, $"it tracks {entity.ShortName()}; say AsNoTracking() to have it routed");
        if (node is not ShapedQueryExpression shaped) return base.VisitExtension(node);
        Visit(shaped.ShaperExpression);
        return node;
    }
}
