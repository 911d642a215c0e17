using Npgsql;

namespace DbSync.Postgres;

/// <summary>A node's replication slot on the primary.</summary>
internal sealed class ReplicationSlot(Primary primary, string name)
{
    /// <summary>The <c>wal_status</c> of a slot that the primary has given up, for whatever reason.</summary>
    public const string Lost = "lost";

    /// <summary>What the primary says of the slot; null when it has none of this name.</summary>
    public Task<SlotState?> ReadAsync(CancellationToken cancellationToken) =>
        primary.BlockAsync(connection => Read(connection, own: 0), cancellationToken);

    /// <summary>Makes the slot, or finds it made; returns the position from which it delivers.</summary>
    public async Task<Lsn> CreateAsync(CancellationToken cancellationToken)
    {
        if (await ReadAsync(cancellationToken) is { } existing) return existing.Confirmed;
        return await primary.UseAsync(
            async connection =>
            {
                await using var command = Primary.Command(connection, "SELECT lsn::text FROM pg_catalog.pg_create_logical_replication_slot($1, 'pgoutput')", name);
                command.CommandTimeout = 0; // it waits until every transaction that runs now has ended
                return Lsn.Parse((string)(await command.ExecuteScalarAsync(cancellationToken))!);
            },
            cancellationToken);
    }

    /// <summary>Drops the slot; does nothing when there is none.</summary>
    /// <exception cref="DbSyncException">DBS3003 while somebody follows it.</exception>
    public async Task DropAsync(CancellationToken cancellationToken)
    {
        await primary.ExecuteAsync(
            "SELECT pg_catalog.pg_drop_replication_slot(slot_name) FROM pg_catalog.pg_replication_slots WHERE slot_name = $1 AND NOT active", cancellationToken, name);
        if (await ReadAsync(cancellationToken) is { } slot) throw PrimaryErrors.SlotInUse($"server process {slot.ActivePid} serves it to somebody");
    }

    /// <summary>Checks, blocking, that the slot still holds everything after <paramref name="position"/>.</summary>
    /// <param name="position">What the shards hold.</param>
    /// <param name="isOurs">Whether it is this process that follows the slot.</param>
    /// <param name="own">The server process of this node's own drain, if there is one.</param>
    /// <returns>The slot.</returns>
    /// <exception cref="DbSyncException">DBS3002 no slot, DBS3003 somebody else is moving it, DBS3004 confirmed beyond the position, DBS3005 its
    /// log is gone, DBS3050 the primary's log ends before the position.</exception>
    public SlotState Check(Lsn position, bool isOurs, int own = 0)
    {
        var slot = primary.Block(connection => Read(connection, own)) ?? throw PrimaryErrors.SlotMissing();
        if (slot.WalStatus == Lost)
            throw new DbSyncException(
                ErrorCodes.SlotLost,
                $"The primary has given up the slot{(slot.InvalidationReason is { } reason ? $" ({reason})" : "")} and removed log that this replica still needs.",
                "Everything has to be copied again; raise max_slot_wal_keep_size to allow longer absences.");
        if (position > slot.Current)
            throw new DbSyncException(
                ErrorCodes.PrimaryWentBack,
                $"The primary's log ends at {slot.Current}, and this replica stands at {position}.",
                "The primary was restored to an older state: everything has to be copied again.");
        if (slot.IsDrained) throw PrimaryErrors.SlotInUse("another process reads its backlog");
        if (slot.Confirmed > position && slot.Active && !isOurs) throw PrimaryErrors.SlotInUse($"server process {slot.ActivePid} serves it to somebody else");
        if (slot.Confirmed > position)
            throw new DbSyncException(
                ErrorCodes.SlotAhead,
                $"The slot was confirmed up to {slot.Confirmed}, and this replica stands at {position}: what lies between can't be had any more.",
                "Another process followed the slot or made it again, or an older copy of the data came back: everything has to be copied again.");
        return slot;
    }

    private SlotState? Read(NpgsqlConnection connection, int own)
    {
        using var command = Primary.Command(
            connection,
            """
            SELECT s.active, s.active_pid, s.wal_status, s.confirmed_flush_lsn::text, s.restart_lsn::text,
                pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.restart_lsn)::bigint, s.safe_wal_size,
                pg_catalog.pg_current_wal_lsn()::text,
                EXISTS (
                    SELECT FROM pg_catalog.pg_locks AS l JOIN pg_catalog.pg_database AS d ON d.oid = l.database
                    WHERE d.datname = pg_catalog.current_database() AND l.locktype = 'advisory' AND l.classid = $2::oid
                        AND l.objid = (pg_catalog.hashtext($1)::bigint & 4294967295)::oid AND l.objsubid = 2 AND l.pid <> $3),
                (SELECT system_identifier::text FROM pg_catalog.pg_control_system()),
                pg_catalog.left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8), -- the timeline that is written now
                coalesce(pg_catalog.to_jsonb(s) ->> 'invalidation_reason', pg_catalog.to_jsonb(s) ->> 'conflict_reason')
            FROM pg_catalog.pg_replication_slots AS s WHERE s.slot_name = $1
            """,
            name, (long)SlotDrain.LockClass, own);
        using var reader = command.ExecuteReader();
        if (!reader.Read()) return null;
        return new SlotState(
            name,
            reader.GetBoolean(0),
            reader.IsDBNull(1) ? null : reader.GetInt32(1),
            reader.IsDBNull(2) ? Lost : reader.GetString(2),
            Position(reader, 3),
            Position(reader, 4),
            reader.IsDBNull(5) ? 0 : reader.GetInt64(5),
            reader.IsDBNull(6) ? null : reader.GetInt64(6),
            Position(reader, 7),
            reader.GetBoolean(8),
            reader.GetString(9),
            Convert.ToUInt32(reader.GetString(10), 16),
            reader.IsDBNull(11) ? null : reader.GetString(11));
    }

    private static Lsn Position(NpgsqlDataReader reader, int column) => reader.IsDBNull(column) ? Lsn.Zero : Lsn.Parse(reader.GetString(column));
}

/// <summary>A slot as <c>pg_replication_slots</c> shows it.</summary>
/// <param name="Name">The slot.</param>
/// <param name="Active">Whether somebody follows it.</param>
/// <param name="ActivePid">The server process that does.</param>
/// <param name="WalStatus">reserved, extended, unreserved or lost.</param>
/// <param name="Confirmed">What its follower has acknowledged.</param>
/// <param name="Restart">The oldest log it keeps.</param>
/// <param name="RetainedBytes">The log it keeps, in bytes.</param>
/// <param name="BudgetBytes">What may be written before it is lost; null for no limit.</param>
/// <param name="Current">The primary's own position.</param>
/// <param name="IsDrained">Whether another process than this node's reads its backlog through SQL.</param>
/// <param name="SystemIdentifier">The primary's cluster.</param>
/// <param name="Timeline">The timeline that the primary writes now.</param>
/// <param name="InvalidationReason">Why the primary has given it up, where PostgreSQL says so (16 and newer).</param>
internal sealed record SlotState(
    string Name, bool Active, int? ActivePid, string WalStatus, Lsn Confirmed, Lsn Restart, long RetainedBytes, long? BudgetBytes, Lsn Current,
    bool IsDrained, string SystemIdentifier, uint Timeline, string? InvalidationReason);
