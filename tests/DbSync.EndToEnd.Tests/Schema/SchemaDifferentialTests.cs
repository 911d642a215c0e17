using DbSync.Testing;

namespace DbSync.EndToEnd.Tests.Schema;

/// <summary>Random programs of DDL and DML, some at a time: afterwards the replica equals one built from scratch, in tables, columns, indexes and rows.</summary>
[Trait("Needs", "Server")]
public sealed class SchemaDifferentialTests(PostgresFixture postgres)
{
    private const int Together = 25;
    private const int Programs = 300;
    private const int Sessions = 4;
    private const int OfEachKindMin = 20;
    private const int SeedsMax = 1_000_000;

    /// <summary>Seeds that once showed something wrong: a label renamed, and a partition dropped, rows computed anew, each while the table was being copied.</summary>
    private static readonly int[] Regressions = [7, 171, 228];

    [Fact]
    public async Task Random_programs_leave_the_replica_as_one_built_from_scratch()
    {
        await using var node = await SchemaNode.StartAsync(postgres, "");
        node.Run();
        await using var runner = new ProgramRunner(node);
        foreach (var programs in Choose().Chunk(Together)) await CheckAsync(node, runner, [.. programs]);
    }

    /// <summary>So many, and more of those that hold a rare kind of step.</summary>
    private static IEnumerable<SchemaProgram> Choose()
    {
        var counts = Enum.GetValues<StepKind>().ToDictionary(kind => kind, _ => 0);
        var count = Effort.Cases(Programs);
        foreach (var seed in Regressions.Concat(Enumerable.Range(1, SeedsMax).Except(Regressions)))
        {
            var program = new SchemaProgram(seed);
            var kinds = program.Steps.Select(s => s.Kind).ToHashSet();
            if (count-- <= 0 && !kinds.Any(kind => counts[kind] < OfEachKindMin)) continue;
            foreach (var kind in kinds) counts[kind]++;
            yield return program;
            if (count <= 0 && counts.Values.All(c => c >= OfEachKindMin)) yield break;
        }
        Assert.Fail($"The generator makes too few of {string.Join(", ", counts.Where(c => c.Value < OfEachKindMin).Select(c => c.Key))}.");
    }

    private static async Task CheckAsync(NodeUnderTest node, ProgramRunner runner, List<SchemaProgram> programs)
    {
        await Parallel.ForEachAsync(programs, new ParallelOptions { MaxDegreeOfParallelism = Sessions, CancellationToken = TestContext.Current.CancellationToken }, async (program, _) =>
        {
            await using var sessions = new ProgramRunner(node);
            await sessions.RunAsync(program);
        });
        var differences = await SchemaNode.DifferencesAsync(node);
        foreach (var program in programs) await runner.CleanUpAsync(program);
        if (differences.Count == 0) return;
        var failing = programs.Find(p => differences[0].Contains($"p{p.Seed}.", StringComparison.Ordinal) || differences[0].Contains($"p{p.Seed}x.", StringComparison.Ordinal)) ?? programs[0];
        var shrunk = await ShrinkAsync(node, runner, failing.Seed);
        Assert.Fail($"seed {failing.Seed}: {string.Join('\n', differences)}\n{failing}\nshrunk to {shrunk}");
    }

    /// <summary>Leaves out one step after another, as long as the replica differs without it.</summary>
    private static async Task<SchemaProgram> ShrinkAsync(NodeUnderTest node, ProgramRunner runner, int seed)
    {
        List<int> kept = [.. Enumerable.Range(0, new SchemaProgram(seed).Steps.Count)];
        for (var step = kept.Count - 1; step >= 0; step--)
        {
            List<int> without = [.. kept.Where(k => k != step)];
            var smaller = new SchemaProgram(seed, $"s{seed}_{step}_", without);
            await runner.RunAsync(smaller, isTolerant: true);
            if ((await SchemaNode.DifferencesAsync(node)).Count > 0) kept = without;
            await runner.CleanUpAsync(smaller);
        }
        return new SchemaProgram(seed, kept: kept);
    }
}
