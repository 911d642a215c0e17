namespace DbSync.Postgres;

/// <summary>How a precondition stands.</summary>
internal enum CheckState
{
    Ok = 0,
    Warn = 1,
    Fail = 2,
}

/// <summary>One precondition of DbSync, and how it stands.</summary>
/// <param name="Code">Its code, for <c>dbsync explain</c>.</param>
/// <param name="Name">What is checked, in a few words.</param>
/// <param name="State">How it stands.</param>
/// <param name="Detail">What was found, as a sentence.</param>
/// <param name="Why">Why it matters; null when all is well.</param>
/// <param name="Fix">The statement or the step that mends it; null when all is well.</param>
internal sealed record PreflightCheck(string Code, string Name, CheckState State, string Detail, string? Why = null, string? Fix = null)
{
    public static PreflightCheck Ok(string code, string name, string detail) => new(code, name, CheckState.Ok, detail);

    public static PreflightCheck Warn(string code, string name, string detail, string why, string? fix = null) => new(code, name, CheckState.Warn, detail, why, fix);

    public static PreflightCheck Fail(string code, string name, string detail, string why, string? fix = null) => new(code, name, CheckState.Fail, detail, why, fix);
}
