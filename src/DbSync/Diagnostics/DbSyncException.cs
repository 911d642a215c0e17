namespace DbSync;

/// <summary>
/// An expected failure of DbSync: a stable <see cref="Code"/> (<c>DBSnnnn</c>), what happened, and what to do about it.
/// <c>dbsync explain CODE</c> prints the long form. No message holds a connection string, a password or a row's value.
/// </summary>
public class DbSyncException : Exception
{
    /// <summary>Creates the failure.</summary>
    /// <param name="code">The stable code, one of <c>DBSnnnn</c>.</param>
    /// <param name="message">What happened, as one or more sentences.</param>
    /// <param name="fix">What to do about it: a sentence or a statement to run; null when there is nothing to do.</param>
    /// <param name="innerException">The cause, if there is one.</param>
    public DbSyncException(string code, string message, string? fix = null, Exception? innerException = null)
        : base(fix is null ? $"{code}: {message}" : $"{code}: {message} {fix}", innerException)
    {
        Code = code;
        Fix = fix;
    }

    /// <summary>The stable code, <c>DBSnnnn</c>.</summary>
    public string Code { get; }

    /// <summary>What to do about it, or null.</summary>
    public string? Fix { get; }
}
