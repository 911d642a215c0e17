using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Query;

namespace DbSync.EntityFrameworkCore.Parity;

/// <summary>Turns a query over the main model into one over the replica model: the entity types of its roots are the only trace of a model.</summary>
internal sealed class RootRewriter(IModel replica) : ExpressionVisitor
{
    protected override Expression VisitExtension(Expression node)
    {
        if (node is not EntityQueryRootExpression root) return base.VisitExtension(node);
        if (node.GetType() != typeof(EntityQueryRootExpression)) throw new NotRoutableException(RouteReason.Statement, "it starts from SQL or a function");
        var entity = replica.FindEntityType(root.EntityType.Name)
            ?? throw new NotRoutableException(RouteReason.Model, $"{root.EntityType.ShortName()} is not in the replica model");
        return root.QueryProvider is { } provider ? new EntityQueryRootExpression(provider, entity) : new EntityQueryRootExpression(entity);
    }
}
