namespace DbSync.Postgres;

/// <summary>Checks of the server's settings and of the connected role.</summary>
internal static class ServerChecks
{
    private const int VersionMin = 140000;
    private const int VersionEnd = 190000;

    /// <summary>Those that an init can't do without.</summary>
    public static IEnumerable<PreflightCheck> BeforeSetup(ServerFacts server, bool schemaOnly)
    {
        yield return Version(server);
        yield return WalLevel(server);
        yield return Encoding(server);
        yield return SlotRetention(server);
        if (!schemaOnly) yield return Replication(server);
        if (!server.HasControlSchema) yield return MayCreate(server);
    }

    public static IEnumerable<PreflightCheck> All(ServerFacts server, bool hasSlot)
    {
        yield return Version(server);
        yield return WalLevel(server);
        yield return SlotsFree(server, hasSlot);
        yield return SendersFree(server, hasSlot);
        yield return SlotRetention(server);
        yield return IdleSlots(server);
        yield return Encoding(server);
        yield return Replication(server);
        if (server.IsSuperuser)
            yield return PreflightCheck.Warn(
                CheckCodes.Superuser, "role", $"The role {server.Role} is a superuser.", "Nothing that DbSync does while it runs needs one.",
                "Run nodes as a role with LOGIN REPLICATION; 'dbsync init --schema-only --grant-to ROLE' grants it the rest.");
        if (!server.HasControlSchema) yield return MayCreate(server);
    }

    private static PreflightCheck Version(ServerFacts server) => server.Version is >= VersionMin and < VersionEnd
        ? PreflightCheck.Ok(CheckCodes.ServerVersion, "server version", $"PostgreSQL {server.VersionText}.")
        : server.Version < VersionMin
            ? PreflightCheck.Fail(
                CheckCodes.ServerVersion, "server version", $"PostgreSQL {server.VersionText} is older than 14.", "DbSync is tested with 14 to 18.", "Upgrade the primary.")
            : PreflightCheck.Warn(CheckCodes.ServerVersion, "server version", $"PostgreSQL {server.VersionText} is newer than 18.", "DbSync is tested with 14 to 18.");

    private static PreflightCheck WalLevel(ServerFacts server) => server.WalLevel == "logical"
        ? PreflightCheck.Ok(CheckCodes.WalLevel, "wal_level", "wal_level is logical.")
        : PreflightCheck.Fail(
            CheckCodes.WalLevel, "wal_level", $"wal_level is {server.WalLevel}.", "Only logical has the rows of every change in the log.",
            "ALTER SYSTEM SET wal_level = 'logical'; -- then restart PostgreSQL");

    private static PreflightCheck SlotsFree(ServerFacts server, bool hasSlot) => server.SlotsUsed < server.SlotsMax || hasSlot
        ? PreflightCheck.Ok(CheckCodes.SlotsFree, "replication slots", $"{server.SlotsUsed} of {server.SlotsMax} in use.")
        : PreflightCheck.Fail(
            CheckCodes.SlotsFree, "replication slots", $"All {server.SlotsMax} are in use.", "A node needs a slot of its own.",
            FormattableString.Invariant($"ALTER SYSTEM SET max_replication_slots = {server.SlotsMax + 10}; -- then restart PostgreSQL"));

    private static PreflightCheck SendersFree(ServerFacts server, bool hasSlot) => server.SendersUsed < server.SendersMax || hasSlot && server.SendersMax > 0
        ? PreflightCheck.Ok(CheckCodes.SendersFree, "WAL senders", $"{server.SendersUsed} of {server.SendersMax} in use.")
        : PreflightCheck.Fail(
            CheckCodes.SendersFree, "WAL senders", $"All {server.SendersMax} are in use.", "A running node needs one.",
            FormattableString.Invariant($"ALTER SYSTEM SET max_wal_senders = {server.SendersMax + 10}; -- then restart PostgreSQL"));

    public static PreflightCheck SlotRetention(ServerFacts server) => server.SlotKeepMb >= 0
        ? PreflightCheck.Ok(CheckCodes.SlotRetention, "slot retention", $"A slot holds back at most {server.SlotKeepMb} MB of log.")
        : PreflightCheck.Fail(
            CheckCodes.SlotRetention, "slot retention", "max_slot_wal_keep_size is unlimited.",
            "The slot of a node that is down would keep log until the primary's disk is full.",
            "ALTER SYSTEM SET max_slot_wal_keep_size = '10GB'; SELECT pg_reload_conf();");

    private static PreflightCheck IdleSlots(ServerFacts server) => server.IdleSlotTimeout is null or "0" or "0s"
        ? PreflightCheck.Ok(CheckCodes.IdleSlotTimeout, "idle slots", "Idle slots are not given up for their age.")
        : PreflightCheck.Warn(
            CheckCodes.IdleSlotTimeout, "idle slots", $"A slot that is idle for {server.IdleSlotTimeout} is given up.",
            "A node that is down for longer has to copy everything again.");

    private static PreflightCheck Encoding(ServerFacts server) => server.Encoding == "UTF8"
        ? PreflightCheck.Ok(CheckCodes.Encoding, "encoding", "The database is UTF8.")
        : PreflightCheck.Fail(
            CheckCodes.Encoding, "encoding", $"The database's encoding is {server.Encoding}.", "Shards hold UTF-8, and rows are compared by their bytes.",
            "Use a database made WITH ENCODING 'UTF8'.");

    private static PreflightCheck Replication(ServerFacts server) => server.MayReplicate
        ? PreflightCheck.Ok(CheckCodes.ReplicationRight, "REPLICATION", $"The role {server.Role} may replicate.")
        : PreflightCheck.Fail(
            CheckCodes.ReplicationRight, "REPLICATION", $"The role {server.Role} may not replicate.", "Making and following a slot needs it.",
            $"ALTER ROLE {PgName.Quote(server.Role)} REPLICATION;");

    private static PreflightCheck MayCreate(ServerFacts server) => server.MayCreate
        ? PreflightCheck.Ok(CheckCodes.ControlSchema, "control schema", "It is not there yet; this role may create it.")
        : PreflightCheck.Fail(
            CheckCodes.ControlSchema, "control schema", "It is not there, and this role may not create it.", "It holds heartbeats and the list of nodes.",
            $"GRANT CREATE ON DATABASE {PgName.Quote(server.Database)} TO {PgName.Quote(server.Role)};");
}
