namespace DbSync.Testing;

/// <summary>What a <see cref="PostgresServer"/> is started with.</summary>
public sealed record PostgresServerOptions
{
    /// <summary>The folder of initdb and postgres. Default: <c>DBSYNC_TEST_PG_BIN</c>, else PATH, else the newest installed one.</summary>
    public string? BinDirectory { get; init; }

    /// <summary>Off unless durability of the primary itself is tested: a killed process loses nothing that way, only a power cut does.</summary>
    public bool Fsync { get; init; }

    /// <summary>When PostgreSQL gives a silent WAL receiver up.</summary>
    public TimeSpan WalSenderTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How much WAL slots may hold back, in MB; null for PostgreSQL's default, no limit.</summary>
    public int? MaxSlotWalKeepSizeMb { get; init; }

    /// <summary>From which size on a running transaction is streamed or spilled, in kB (at least 64); null for PostgreSQL's default, 64 MB.</summary>
    public int? LogicalDecodingWorkMemKb { get; init; }

    /// <summary>True asks every role but the superuser for its password (SCRAM); otherwise whoever connects is trusted.</summary>
    public bool RequirePasswords { get; init; }

    /// <summary>Further settings as for postgresql.conf, unquoted; they win over the ones above.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>The lines of postgresql.conf, in order of precedence.</summary>
    internal IEnumerable<KeyValuePair<string, string>> AllSettings()
    {
        var settings = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["wal_level"] = "logical",
            ["max_wal_senders"] = "200",
            ["max_replication_slots"] = "500",
            ["max_connections"] = "200",
            ["max_prepared_transactions"] = "10",
            ["shared_buffers"] = "64MB",
            ["fsync"] = Fsync ? "on" : "off",
            ["full_page_writes"] = Fsync ? "on" : "off",
            ["wal_sender_timeout"] = $"{WalSenderTimeout.TotalMilliseconds:0}ms",
            ["timezone"] = "UTC",
            ["log_timezone"] = "UTC",
        };
        if (MaxSlotWalKeepSizeMb is { } keepSize)
            settings["max_slot_wal_keep_size"] = $"{keepSize}MB";
        if (LogicalDecodingWorkMemKb is { } workMem)
            settings["logical_decoding_work_mem"] = $"{workMem}kB";
        foreach (var (name, value) in Settings)
            settings[name] = value;
        return settings;
    }
}
