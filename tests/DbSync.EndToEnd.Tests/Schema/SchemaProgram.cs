using System.Text;

namespace DbSync.EndToEnd.Tests.Schema;

/// <summary>What a step of a generated program is there for.</summary>
internal enum StepKind
{
    CreateTable,
    CreateTableAs,
    DropTable,
    DropAndCreate,
    RenameTable,
    MoveTable,
    AddColumn,
    AddConstant,
    AddVolatile,
    DropColumn,
    RenameColumn,
    SwapColumns,
    WidenType,
    ConvertType,
    NotNull,
    ChangeKey,
    Identity,
    Generated,
    AddLabel,
    RenameLabel,
    Domain,
    Index,
    PartialIndex,
    IndexConcurrently,
    DropIndex,
    CreatePartition,
    Attach,
    Detach,
    Mixed,
    RolledBack,
    Savepoint,
    Concurrent,
    Publication,
    Rows,

    /// <summary>Not drawn but made in place of some partial indexes: seeds from before it draw the same.</summary>
    ExpressionIndex,
}

/// <summary>One step: statements that run one after another, each on one of two connections.</summary>
internal sealed record ProgramStep(StepKind Kind, IReadOnlyList<(int Connection, string Sql)> Statements)
{
    public override string ToString() => $"{Kind}: {string.Join("\n    ", Statements.Select(s => s.Connection == 0 ? s.Sql : $"[{s.Connection}] {s.Sql}"))}";
}

/// <summary>A random program of DDL and DML that a seed makes, in schemas of its own.</summary>
internal sealed class SchemaProgram
{
    private const int StepsMin = 8, StepsMax = 14;

    private readonly Random _random;
    private readonly string _schema;
    private readonly StatementMaker _maker;
    private readonly ProgramModel _model = new();

    /// <param name="seed">What it is made from.</param>
    /// <param name="schema">The schema it works in; its seed's unless given.</param>
    /// <param name="kept">Which of its steps to keep; null for all.</param>
    public SchemaProgram(int seed, string? schema = null, IReadOnlyCollection<int>? kept = null)
    {
        Seed = seed;
        _random = new Random(seed);
        _schema = schema ?? $"p{seed}";
        _maker = new StatementMaker(_random, _schema);
        Setup =
        [
            $"CREATE SCHEMA {_schema}; CREATE SCHEMA {_schema}x; CREATE TYPE {_schema}.mood AS ENUM ('sad', 'ok', 'glad'); CREATE DOMAIN {_schema}.small AS int CHECK (VALUE < 1000000)",
            _maker.Make(StepKind.CreateTable, _model)!,
            _maker.Make(StepKind.CreateTable, _model)!,
        ];
        var count = _random.Next(StepsMin, StepsMax);
        while (Steps.Count < count)
            if (Next() is { } step) Steps.Add(step);
        if (kept is not null) Steps = [.. Steps.Where((_, i) => kept.Contains(i))];
    }

    public int Seed { get; }

    public IReadOnlyList<string> Setup { get; }

    public List<ProgramStep> Steps { get; } = [];

    public string Cleanup => $"DROP SCHEMA {_schema}, {_schema}x CASCADE";

    public override string ToString()
    {
        var text = new StringBuilder($"program {Seed}:\n");
        foreach (var line in Setup) text.Append("  ").Append(line).Append('\n');
        foreach (var step in Steps) text.Append("  ").Append(step).Append('\n');
        return text.ToString();
    }

    private ProgramStep? Next()
    {
        var kind = (StepKind)_random.Next((int)StepKind.ExpressionIndex);
        switch (kind)
        {
            case StepKind.Mixed:
                return One(kind, $"BEGIN; {Several(_model, 5)}; COMMIT");
            case StepKind.RolledBack:
                return One(kind, $"BEGIN; {Several(_model.Copy(), 4)}; ROLLBACK");
            case StepKind.Savepoint:
                var before = Several(_model, 2);
                var undone = Several(_model.Copy(), 3);
                return One(kind, $"BEGIN; {before}; SAVEPOINT a; {undone}; ROLLBACK TO a; {Several(_model, 2)}; COMMIT");
            case StepKind.Concurrent:
                return Concurrent();
            default:
                return _maker.Make(kind, _model) is { } sql ? One(sql.Contains(StatementMaker.Expression, StringComparison.Ordinal) ? StepKind.ExpressionIndex : kind, sql) : null;
        }
    }

    /// <summary>Two sessions change two tables, each in a transaction of its own, and commit in one order or the other.</summary>
    private ProgramStep? Concurrent()
    {
        if (_model.Tables.Count < 2) return null;
        List<(int, string)> statements = [(1, "BEGIN"), (2, "BEGIN")];
        var (first, second) = (_model.Tables[0], _model.Tables[1]);
        for (var i = 0; i < 2; i++)
        {
            statements.Add((1, _maker.OnTable(first, _model)));
            statements.Add((2, _maker.OnTable(second, _model)));
            statements.Add((1, _maker.Rows(first, _model)));
            statements.Add((2, _maker.Rows(second, _model)));
        }
        var order = _random.Next(2) + 1;
        statements.Add((order, "COMMIT"));
        statements.Add((3 - order, "COMMIT"));
        return new ProgramStep(StepKind.Concurrent, statements);
    }

    private string Several(ProgramModel model, int count)
    {
        var parts = new List<string>();
        while (parts.Count < count)
        {
            var kind = parts.Count % 2 == 1 ? StepKind.Rows : (StepKind)_random.Next((int)StepKind.Mixed);
            // Neither a new label nor an index that is built aside can be had inside a transaction.
            if (kind is StepKind.AddLabel or StepKind.IndexConcurrently) continue;
            if (_maker.Make(kind, model) is { } sql) parts.Add(sql);
        }
        return string.Join("; ", parts);
    }

    private static ProgramStep One(StepKind kind, string sql) => new(kind, [(0, sql)]);
}
