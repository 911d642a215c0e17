namespace DbSync.Postgres;

/// <summary>A node's words with the primary, through the tables of the control schema.</summary>
internal sealed class ControlPlane(Primary primary, string slot, TimeProvider time) : IControlPlane
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(10);
    private readonly ReplicationSlot _slot = new(primary, slot);

    // Of every table but temporary ones: which are published may depend on what changes. A description keeps its xmin until it is changed.
    private const string CatalogSql =
        """
        SELECT logged.yes, CASE WHEN NOT logged.yes THEN (
            SELECT coalesce(sum(pg_catalog.hashtextextended(pg_catalog.concat_ws('|', c.oid, c.relname, c.relnamespace, c.relreplident, a.attnum, a.attname, a.xmin), 0)), 0)
                FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
                WHERE c.relkind IN ('r', 'p') AND c.oid >= 16384 AND c.relpersistence <> 't')::text
            || ' ' || (SELECT coalesce(sum(pg_catalog.hashtextextended(pg_catalog.concat_ws('|', i.indexrelid, i.indisvalid, i.indisreplident, c.relname), 0)), 0)
                FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid WHERE i.indexrelid >= 16384 AND c.relpersistence <> 't')::text
            || ' ' || (SELECT coalesce(sum(pg_catalog.hashtextextended(pg_catalog.concat_ws('|', h.inhrelid, h.inhparent), 0)), 0) FROM pg_catalog.pg_inherits AS h)::text
            || ' ' || (SELECT coalesce(sum(pg_catalog.hashtextextended(pg_catalog.concat_ws('|', e.oid, e.enumlabel, e.enumsortorder), 0)), 0) FROM pg_catalog.pg_enum AS e)::text
            || ' ' || (SELECT coalesce(sum(pg_catalog.hashtextextended(pg_catalog.concat_ws('|', t.oid, t.typname, t.typnamespace), 0)), 0)
                FROM pg_catalog.pg_type AS t WHERE t.oid >= 16384 AND t.typtype IN ('e', 'd'))::text
            || ' ' || (SELECT coalesce(sum(pg_catalog.hashtextextended(pg_catalog.concat_ws('|', n.oid, n.nspname), 0)), 0)
                FROM pg_catalog.pg_namespace AS n WHERE n.nspname !~ '^pg_')::text
            ELSE '' END
        FROM (SELECT EXISTS (SELECT FROM pg_catalog.pg_event_trigger WHERE evtname = 'dbsync_ddl' AND evtenabled = 'A')
            AND EXISTS (SELECT FROM pg_catalog.pg_publication AS p LEFT JOIN pg_catalog.pg_publication_rel AS r ON r.prpubid = p.oid AND r.prrelid = pg_catalog.to_regclass('dbsync.schema_log')
                WHERE p.pubname = $1 AND (p.puballtables OR r.oid IS NOT NULL))) AS logged (yes)
        """;

    public Task<Beat> BeatAsync(string node, CancellationToken cancellationToken) => primary.UseAsync(
        async connection =>
        {
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
            await using var beat = Primary.Command(
                connection,
                """
                INSERT INTO dbsync.heartbeat (node, beat, beat_at, rights) VALUES ($1, 1, pg_catalog.clock_timestamp(), dbsync.rights())
                ON CONFLICT (node) DO UPDATE SET beat = heartbeat.beat + 1, beat_at = pg_catalog.clock_timestamp(), rights = excluded.rights
                """,
                node);
            await using (var synchronous = Primary.Command(connection, "SET LOCAL synchronous_commit = on"))
                await synchronous.ExecuteNonQueryAsync(cancellationToken);
            await beat.ExecuteNonQueryAsync(cancellationToken);
            var sentAt = time.GetTimestamp();
            await transaction.CommitAsync(cancellationToken);
            var writeTime = time.GetElapsedTime(sentAt);

            await using var now = Primary.Command(connection, "SELECT pg_catalog.pg_current_wal_insert_lsn()::text, pg_catalog.clock_timestamp()");
            var askedAt = time.GetUtcNow();
            await using var reader = await now.ExecuteReaderAsync(cancellationToken);
            await reader.ReadAsync(cancellationToken);
            var middle = askedAt + (time.GetUtcNow() - askedAt) / 2;
            var clockOffset = reader.GetFieldValue<DateTimeOffset>(1) - middle;
            return new Beat(Lsn.Parse(reader.GetString(0)), writeTime, clockOffset);
        },
        cancellationToken);

    public Task<ShardLayout?> ReadLayoutAsync(string replica, CancellationToken cancellationToken) => primary.UseAsync(
        async connection =>
        {
            var layout = await ShardMapTable.ReadNewestAsync(connection, replica, cancellationToken);
            if (layout is not null) await HashCheck.RunAsync(connection, cancellationToken);
            return layout;
        },
        cancellationToken);

    public Task<CatalogState> ReadCatalogAsync(string publication, CancellationToken cancellationToken) => primary.UseAsync(
        async connection =>
        {
            await using var command = Primary.Command(connection, CatalogSql, publication);
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            await reader.ReadAsync(cancellationToken);
            return new CatalogState(reader.GetBoolean(0), reader.GetString(1));
        },
        cancellationToken);

    public Task LogSchemaAsync(CancellationToken cancellationToken) => primary.ExecuteAsync("SELECT dbsync.schema_changed(true)", cancellationToken);

    public async Task<SlotHealth?> ReadSlotAsync(CancellationToken cancellationToken) =>
        await _slot.ReadAsync(cancellationToken) is { } state
            ? new SlotHealth(state.Name, state.Active, state.WalStatus, state.RetainedBytes, state.BudgetBytes, state.Current)
            : null;

    public Task<IReadOnlyList<Guid>> OpenVerificationsAsync(string node, CancellationToken cancellationToken) =>
        primary.UseAsync<IReadOnlyList<Guid>>(
            async connection =>
            {
                await using var command = Primary.Command(
                    connection, "SELECT id FROM dbsync.verification WHERE node = $1 AND state = 'requested' ORDER BY requested_at", node);
                await using var reader = await command.ExecuteReaderAsync(cancellationToken);
                var open = new List<Guid>();
                while (await reader.ReadAsync(cancellationToken)) open.Add(reader.GetGuid(0));
                return open;
            },
            cancellationToken);

    public async Task<ISharedSnapshot> TakeSnapshotAsync(IReadOnlyCollection<TableSchema> locked, CancellationToken cancellationToken) =>
        await SharedSnapshot.TakeAsync(primary, locked, cancellationToken);

    public Task AnswerAsync(Guid verification, ISharedSnapshot? snapshot, Lsn position, CancellationToken cancellationToken) => primary.ExecuteAsync(
        "UPDATE dbsync.verification SET state = CASE WHEN $2::text IS NULL THEN 'failed' ELSE 'ready' END, snapshot = $2, lsn = $3::pg_lsn WHERE id = $1",
        cancellationToken,
        verification, (snapshot as SharedSnapshot)?.ExportedAs, position.ToString());

    public async Task WaitUntilTakenAsync(Guid verification, CancellationToken cancellationToken)
    {
        while (await primary.ScalarAsync<string>("SELECT state FROM dbsync.verification WHERE id = $1", cancellationToken, verification) == "ready")
            await Task.Delay(PollInterval, time, cancellationToken);
    }
}
