using System.Net.Sockets;
using Npgsql;

namespace DbSync.Postgres;

/// <summary>Turns what the driver throws into DbSync's errors. Nothing is told apart by a message's text, only by type and SQLSTATE.</summary>
internal static class PrimaryErrors
{
    /// <summary>The failure as DbSync names it; null when it is none of these.</summary>
    public static DbSyncException? TryTranslate(Exception exception) => exception switch
    {
        DbSyncException => null,
        PostgresException postgres => Translate(postgres.SqlState, postgres.MessageText, postgres),
        NpgsqlException or SocketException or IOException or TimeoutException or ObjectDisposedException => Unreachable(exception),
        _ => null,
    };

    public static DbSyncException Unreachable(Exception? cause) => new(
        ErrorCodes.PrimaryUnreachable,
        $"The primary can't be reached ({(cause?.InnerException ?? cause)?.GetType().Name ?? "connection closed"}).",
        "Check host, port and network; DbSync keeps trying.",
        cause);

    /// <summary>An error that the server reported.</summary>
    public static DbSyncException Translate(string sqlState, string message, Exception? cause) => sqlState switch
    {
        "28P01" or "28000" => new(ErrorCodes.AuthenticationFailed, "The primary refused the login.", "Check user, password and pg_hba.conf.", cause),
        "3D000" => new(ErrorCodes.AuthenticationFailed, "The database does not exist on the primary.", "Check the database's name.", cause),
        "42501" => new(ErrorCodes.MissingPrivilege, $"A privilege is missing: {message}.", "Run 'dbsync doctor': it prints the GRANT.", cause),
        "55006" => SlotInUse(message, cause),
        _ => sqlState switch
        {
            ['0', '8', ..] or ['5', '3', ..] or ['5', '7', 'P', ..] => new(
                ErrorCodes.PrimaryUnreachable, $"The primary does not serve now ({sqlState}: {message}).", "DbSync keeps trying.", cause),
            _ when Passes(sqlState) => new(
                ErrorCodes.StatementFailed, $"The primary could not carry out a statement ({sqlState}: {message}).", "A running node tries again.", cause),
            _ => new(ErrorCodes.StatementRefused, $"The primary refused a statement ({sqlState}: {message}).", null, cause),
        },
    };

    /// <summary>
    /// Failures that the same statement may not meet again: rolled back (40), in a state that changes (25, 55), cancelled (57), the system's (58, XX).
    /// Source: PostgreSQL manual, "PostgreSQL Error Codes".
    /// </summary>
    private static bool Passes(string sqlState) => sqlState is ['4', '0', ..] or ['2', '5', ..] or ['5', '5', ..] or ['5', '7', ..] or ['5', '8', ..] or ['X', 'X', ..];

    public static DbSyncException PublicationMissing(string publication, Exception? cause = null) => new(
        ErrorCodes.PublicationMissing,
        $"The publication {publication} is not there, or is empty.",
        "Run 'dbsync init'; when it was dropped under a node, with an empty data directory, since what was committed meanwhile is in no log.",
        cause);

    public static DbSyncException SlotInUse(string by, Exception? cause = null) => new(
        ErrorCodes.SlotInUse, $"The replication slot is in use: {by}.", "Stop the other process that follows this slot.", cause);

    public static DbSyncException SlotMissing(Exception? cause = null) => new(
        ErrorCodes.SlotMissing,
        "The replication slot is not there.",
        "Somebody dropped it: what was committed since is no longer in the log. 'dbsync run' copies everything again beside the old files.",
        cause);
}
