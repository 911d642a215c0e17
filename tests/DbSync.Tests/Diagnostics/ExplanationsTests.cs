using System.Reflection;

namespace DbSync.Tests.Diagnostics;

public sealed class ExplanationsTests
{
    public static TheoryData<string> Codes => [.. CodesOf(typeof(ErrorCodes)).Concat(CodesOf(typeof(CheckCodes)))];

    [Theory]
    [MemberData(nameof(Codes))]
    public void Every_code_has_a_page_that_says_what_why_and_what_to_do(string code)
    {
        var page = Explanations.Find(code);

        page.ShouldNotBeNull();
        page.ShouldStartWith($"# {code}: ");
        page.Split('\n').Where(l => l.StartsWith("## ", StringComparison.Ordinal)).ShouldBe(["## What happened", "## Why it matters", "## What to do"]);
    }

    [Fact]
    public void Every_page_of_a_code_has_its_code() =>
        Explanations.Topics.Where(t => t.StartsWith("DBS", StringComparison.Ordinal)).ShouldBe(Codes.Select(c => c.Data), ignoreOrder: true);

    [Theory]
    [InlineData("copying")]
    [InlineData("streaming")]
    [InlineData("stale")]
    [InlineData("stopped")]
    [InlineData("failed")]
    [InlineData("lagMs")]
    [InlineData("delay")]
    [InlineData("slot")]
    public void States_and_metrics_are_topics(string topic) => Explanations.Find(topic).ShouldNotBeNull();

    private static IEnumerable<string> CodesOf(Type codes) =>
        codes.GetFields(BindingFlags.Static | BindingFlags.Public).Where(f => f.IsLiteral).Select(f => (string)f.GetRawConstantValue()!);
}
