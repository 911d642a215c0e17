using System.Linq.Expressions;
using System.Reflection;
using DbSync.Locking;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;

namespace DbSync.EntityFrameworkCore.Locking;

/// <summary>
/// What <c>o => o.Id</c> means as a lock: the resource, and how values of the columns become keys. The resource is the table when the columns
/// begin its primary key, else the table with the columns: keys of different columns must never be compared.
/// </summary>
internal sealed class EntityLockKey
{
    private readonly IProperty[] _columns;
    private readonly PropertyInfo[]? _parts;
    private readonly Func<IModel> _designed;

    private EntityLockKey(LockResource resource, IProperty[] columns, PropertyInfo[]? parts, Func<IModel> designed) =>
        (Resource, _columns, _parts, _designed) = (resource, columns, parts, designed);

    public LockResource Resource { get; }

    /// <param name="type">The entity.</param>
    /// <param name="key">A column, or several.</param>
    /// <param name="designed">The model with its collations, which the one used at run time has no more.</param>
    public static EntityLockKey Of(IEntityType type, LambdaExpression key, Func<IModel> designed)
    {
        var body = key.Body is UnaryExpression { NodeType: ExpressionType.Convert } convert ? convert.Operand : key.Body;
        PropertyInfo[]? parts = null;
        IProperty[] columns;
        if (body is NewExpression { Members: { Count: > 0 } members } made)
        {
            parts = [.. members.Cast<PropertyInfo>()];
            columns = [.. made.Arguments.Select(argument => Column(type, key.Parameters[0], argument))];
        }
        else
        {
            columns = [Column(type, key.Parameters[0], body)];
        }

        return new EntityLockKey(ResourceOf(type, columns), columns, parts, designed);
    }

    /// <summary>The name of the table that locks on an entity's rows belong to: the one that holds the whole hierarchy's keys.</summary>
    public static string TableOf(IReadOnlyEntityType type)
    {
        var root = type.GetRootType();
        var owner = root.FindOwnership() is { } ownership && root.GetTableName() == ownership.PrincipalEntityType.GetTableName() ? ownership.PrincipalEntityType.GetRootType() : root;
        return $"{owner.GetSchema() ?? owner.Model.GetDefaultSchema() ?? "public"}.{owner.GetTableName() ?? owner.ShortName()}";
    }

    public KeyRange Closed<TKey>(TKey low, TKey high)
    {
        var (from, to) = (Values(low), Values(high));
        for (var i = 0; i < _columns.Length; i++)
        {
            if (from[i] == to[i]) continue;
            foreach (var column in _columns.AsSpan(i)) ColumnKeyEncoder.RequireOrder(column, _designed);
            return KeyRange.Closed(RangeKey.Composite(from), RangeKey.Composite(to));
        }

        return KeyRange.Single(RangeKey.Composite(from));
    }

    private static LockResource ResourceOf(IEntityType type, IProperty[] columns)
    {
        var primary = type.FindPrimaryKey()?.Properties ?? [];
        if (columns.SequenceEqual(primary.Take(columns.Length))) return TableOf(type);
        if (columns.Length == primary.Count && columns.All(primary.Contains))
            throw Unusable($"The columns of {type.ShortName()}'s primary key are named in another order than the key has.", $"Name them in the order {string.Join(", ", primary.Select(p => p.Name))}.");
        return $"{TableOf(type)}({string.Join(',', columns.Select(column => column.GetColumnName()))})";
    }

    private static IProperty Column(IEntityType type, ParameterExpression entity, Expression expression)
    {
        if (expression is UnaryExpression { NodeType: ExpressionType.Convert } convert) expression = convert.Operand;
        if (expression is MemberExpression member && member.Expression == entity && type.FindProperty(member.Member.Name) is { } property) return property;
        throw Unusable($"'{expression}' is not a column of {type.ShortName()}.", "Name a mapped property, as in o => o.Id, or several, as in o => new { o.Tenant, o.Id }.");
    }

    private RangeKey[] Values<TKey>(TKey key)
    {
        if (_parts is null) return [ColumnKeyEncoder.Encode(_columns[0], key)];
        if (key is null) throw Unusable("A composite key is null.", "Give a value for each column.");
        return [.. _columns.Select((column, i) => ColumnKeyEncoder.Encode(column, _parts[i].GetValue(key)))];
    }

    private static DbSyncException Unusable(string what, string fix) => new(ErrorCodes.LockKeyUnusable, what, fix);
}
