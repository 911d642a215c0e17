using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore.Query;

namespace DbSync.EntityFrameworkCore.Reporting;

/// <summary>A query as text without its values.</summary>
internal static class ShapeText
{
    public static string Of(Expression query) => ExpressionPrinter.Print(new Eraser().Visit(query)).ReplaceLineEndings(" ");

    /// <summary>Puts a name in the place of every value, a yes or no and an enum's too.</summary>
    private sealed class Eraser : ExpressionVisitor
    {
        protected override Expression VisitConstant(ConstantExpression node) =>
            node.Value is null or Type || node.Type.IsAssignableTo(typeof(IQueryable)) ? node : Expression.Parameter(node.Type, "value");

        protected override Expression VisitExtension(Expression node) => node is QueryRootExpression ? node : base.VisitExtension(node);
    }
}
