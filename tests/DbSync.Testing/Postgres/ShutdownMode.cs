namespace DbSync.Testing;

/// <summary>How PostgreSQL is told to stop: pg_ctl's words.</summary>
public enum ShutdownMode
{
    /// <summary>Ends the sessions, writes a checkpoint and waits until the WAL senders have sent everything.</summary>
    Fast,

    /// <summary>Waits until the clients have gone by themselves.</summary>
    Smart,

    /// <summary>Ends at once, like a crash: the next start recovers from WAL.</summary>
    Immediate,
}
