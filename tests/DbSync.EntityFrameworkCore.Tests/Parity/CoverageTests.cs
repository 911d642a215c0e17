using System.Linq.Expressions;
using DbSync.EntityFrameworkCore.Parity;

namespace DbSync.EntityFrameworkCore.Tests.Parity;

/// <summary>The parity suite has what it promises: a routed case for whatever the allow-list lets through, every operator of LINQ, and enough shapes.</summary>
public sealed class CoverageTests
{
    private static readonly Lazy<IReadOnlyList<(ParityCase Case, Expression Tree)>> Read = new(() =>
    {
        using var reader = new CaseReader();
        return [.. ParityTests.All.Select(c => (Case: c, Tree: reader.Read(c))).Where(c => c.Tree is not null).Select(c => (c.Case, c.Tree!))];
    });

    [Fact]
    public void Every_method_and_member_on_the_allow_list_is_in_a_routed_case()
    {
        var used = Read.Value.Where(c => c.Case.Expected == RouteReason.Replica).SelectMany(c => CaseReader.UsedIn(c.Tree)).ToHashSet(StringComparer.Ordinal);
        LinqAllowList.Members.Where(m => !used.Contains(m)).ShouldBeEmpty();
    }

    [Fact]
    public void Every_operator_of_LINQ_is_in_a_case()
    {
        var used = Read.Value.SelectMany(c => CaseReader.UsedIn(c.Tree)).ToHashSet(StringComparer.Ordinal);
        used.Add("Queryable.AsQueryable"); // EF Core takes it out before anyone sees it
        typeof(Queryable).GetMethods().Where(m => m.IsStatic).Select(m => $"Queryable.{m.Name}").Distinct(StringComparer.Ordinal).Where(m => !used.Contains(m)).ShouldBeEmpty();
    }

    [Fact]
    public void There_are_at_least_600_shapes() =>
        Read.Value.Select(c => ShapeKey.Of(c.Tree)).Distinct(StringComparer.Ordinal).Count().ShouldBeGreaterThanOrEqualTo(600);
}
