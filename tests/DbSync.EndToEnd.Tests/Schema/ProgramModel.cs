namespace DbSync.EndToEnd.Tests.Schema;

/// <summary>What a generated program has made so far: enough to make the next statement a valid one.</summary>
internal sealed class ProgramModel
{
    public List<ModelTable> Tables { get; private init; } = [];

    public List<string> Moods { get; private init; } = ["sad", "ok", "glad"];

    public int Names { get; set; }

    public int Rows { get; set; }

    public string NewName(string prefix) => $"{prefix}{++Names}";

    public ProgramModel Copy() => new() { Tables = [.. Tables.Select(t => t.Copy())], Moods = [.. Moods], Names = Names, Rows = Rows };
}

/// <summary>A table of a generated program. It always has the columns <c>id</c> and <c>code</c>, one of which or both are its key.</summary>
internal sealed class ModelTable
{
    public required string Schema { get; set; }

    public required string Name { get; set; }

    /// <summary>Its primary key's name, which stays its own.</summary>
    public required string KeyName { get; init; }

    public string Full => $"{Schema}.{Name}";

    /// <summary>The other columns, each with what it holds.</summary>
    public List<(string Name, ValueKind Kind)> Columns { get; private init; } = [];

    public List<string> Indexes { get; private init; } = [];

    public bool IsPartitioned { get; init; }

    /// <summary>Its partitions, and a table that was one.</summary>
    public List<string> Partitions { get; private init; } = [];

    /// <summary>How many partitions there are; each holds the codes that begin with one letter.</summary>
    public int NextBound { get; set; }

    public ModelTable Copy() => new()
    {
        Schema = Schema, Name = Name, KeyName = KeyName, Columns = [.. Columns], Indexes = [.. Indexes], IsPartitioned = IsPartitioned, Partitions = [.. Partitions], NextBound = NextBound,
    };
}

/// <summary>What a column of a generated program holds.</summary>
internal enum ValueKind
{
    Int,
    BigInt,
    Text,
    VarChar,
    Numeric,
    Real,
    Flag,
    Time,
    Mood,
    Domain,
    Bytes,
    Computed,
}
