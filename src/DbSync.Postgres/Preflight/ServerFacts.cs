namespace DbSync.Postgres;

/// <summary>The primary's settings and the connected role, as far as DbSync depends on them.</summary>
/// <param name="Version">As <c>server_version_num</c> has it.</param>
/// <param name="VersionText">As people read it.</param>
/// <param name="WalLevel"><c>wal_level</c>.</param>
/// <param name="SlotsMax"><c>max_replication_slots</c>.</param>
/// <param name="SlotsUsed">The slots that there are.</param>
/// <param name="SendersMax"><c>max_wal_senders</c>.</param>
/// <param name="SendersUsed">The WAL senders that run.</param>
/// <param name="SlotKeepMb"><c>max_slot_wal_keep_size</c> in MB; -1 for no limit.</param>
/// <param name="IdleSlotTimeout"><c>idle_replication_slot_timeout</c>; null before PostgreSQL 18.</param>
/// <param name="Encoding">The database's encoding.</param>
/// <param name="Role">The connected role.</param>
/// <param name="IsSuperuser">Whether it is a superuser.</param>
/// <param name="MayReplicate">Whether it has REPLICATION.</param>
/// <param name="Database">The connected database.</param>
/// <param name="MayCreate">Whether the role may create schemas and publications in the database.</param>
/// <param name="HasControlSchema">Whether the schema dbsync is there.</param>
internal sealed record ServerFacts(
    int Version,
    string VersionText,
    string WalLevel,
    int SlotsMax,
    int SlotsUsed,
    int SendersMax,
    int SendersUsed,
    long SlotKeepMb,
    string? IdleSlotTimeout,
    string Encoding,
    string Role,
    bool IsSuperuser,
    bool MayReplicate,
    string Database,
    bool MayCreate,
    bool HasControlSchema)
{
    private const string Sql =
        """
        SELECT pg_catalog.current_setting('server_version_num')::int, pg_catalog.current_setting('server_version'),
            pg_catalog.current_setting('wal_level'),
            pg_catalog.current_setting('max_replication_slots')::int, (SELECT count(*)::int FROM pg_catalog.pg_replication_slots),
            pg_catalog.current_setting('max_wal_senders')::int,
            (SELECT count(*)::int FROM pg_catalog.pg_stat_activity WHERE backend_type = 'walsender'),
            (SELECT setting::bigint FROM pg_catalog.pg_settings WHERE name = 'max_slot_wal_keep_size'),
            pg_catalog.current_setting('idle_replication_slot_timeout', true),
            pg_catalog.getdatabaseencoding()::text,
            r.rolname::text, r.rolsuper, r.rolreplication OR r.rolsuper,
            pg_catalog.current_database()::text,
            pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'),
            pg_catalog.to_regclass('dbsync.node') IS NOT NULL
        FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user
        """;

    public static Task<ServerFacts> ReadAsync(Primary primary, CancellationToken cancellationToken) => primary.UseAsync(
        async connection =>
        {
            await using var command = Primary.Command(connection, Sql);
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            await reader.ReadAsync(cancellationToken);
            return new ServerFacts(
                reader.GetInt32(0), reader.GetString(1), reader.GetString(2), reader.GetInt32(3), reader.GetInt32(4), reader.GetInt32(5),
                reader.GetInt32(6), reader.GetInt64(7), reader.IsDBNull(8) ? null : reader.GetString(8), reader.GetString(9), reader.GetString(10),
                reader.GetBoolean(11), reader.GetBoolean(12), reader.GetString(13), reader.GetBoolean(14), reader.GetBoolean(15));
        },
        cancellationToken);
}
