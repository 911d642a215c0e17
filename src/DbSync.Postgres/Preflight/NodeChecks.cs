namespace DbSync.Postgres;

/// <summary>Checks of what an init makes: control schema, publication and slot.</summary>
internal static class NodeChecks
{
    public static async Task<PreflightCheck> ControlSchemaAsync(Primary primary, ServerFacts server, CancellationToken cancellationToken)
    {
        const string name = "control schema";
        if (!server.HasControlSchema)
            return PreflightCheck.Warn(CheckCodes.ControlSchema, name, "It is not there yet.", "It holds heartbeats and the list of nodes.", "dbsync init");
        try
        {
            var pending = await new ControlSchema(primary).PendingAsync(cancellationToken);
            return pending.Count == 0
                ? PreflightCheck.Ok(CheckCodes.ControlSchema, name, "It is the one this version knows.")
                : PreflightCheck.Fail(CheckCodes.ControlSchema, name, $"{pending.Count} script(s) have not run yet.", "This version needs what they add.", "dbsync init");
        }
        catch (DbSyncException exception) when (exception.Code is ErrorCodes.ControlSchemaNewer or ErrorCodes.MissingPrivilege)
        {
            return PreflightCheck.Fail(CheckCodes.ControlSchema, name, exception.Message, "A node reads and writes its rows.", exception.Fix);
        }
    }

    public static PreflightCheck Publication(string publication, PublicationState? state)
    {
        const string name = "publication";
        if (state is null)
            return PreflightCheck.Warn(CheckCodes.Publication, name, $"{publication} is not there yet.", "It names the tables that are replicated.", "dbsync init");
        if (state.ForAllTables)
            return PreflightCheck.Fail(
                CheckCodes.Publication, name, $"{publication} is FOR ALL TABLES.", "Tables without identity are published too: their UPDATE and DELETE fail.",
                $"DROP PUBLICATION {PgName.Quote(publication)}; -- then dbsync init");
        if (!state.PublishesEverything)
            return PreflightCheck.Fail(
                CheckCodes.Publication, name, $"{publication} does not publish all four operations through partition roots.", "What it leaves out never reaches the replica.",
                $"ALTER PUBLICATION {PgName.Quote(publication)} SET (publish = 'insert, update, delete, truncate', publish_via_partition_root = true);");
        return SetupSql.PublishedControlTables.All(state.ControlTables.Contains)
            ? PreflightCheck.Ok(CheckCodes.Publication, name, $"{publication} holds {state.Tables.Count} table(s).")
            : PreflightCheck.Fail(CheckCodes.Publication, name, $"{publication} lacks DbSync's own tables.", "Without heartbeats there is no lag, and no verify.", "dbsync init");
    }

    public static PreflightCheck SchemaChanges(SchemaTriggers triggers, ServerFacts server, PublicationState? state)
    {
        const string name = "schema changes";
        if (!server.HasControlSchema || state is null)
            return PreflightCheck.Ok(CheckCodes.SchemaChanges, name, triggers.MayCreate ? "'dbsync init' creates event triggers that log them." : "This role may not create event triggers.");
        return triggers.AreActive && state.ControlTables.Contains(SchemaLogReader.TableName)
            ? PreflightCheck.Ok(CheckCodes.SchemaChanges, name, "Event triggers log each of them: replicas follow at the commit that made it.")
            : PreflightCheck.Warn(
                CheckCodes.SchemaChanges, name, "No event triggers: replicas learn of a change with the table's next row, from dbsync.schema_changed(), or from a look at the catalog each second.",
                "In between a renamed or converted column is read as it was, and what is more than an appended column copies the table again.",
                triggers.MayCreate ? "dbsync init" : $"As a superuser: {string.Join(' ', triggers.Missing)}");
    }

    /// <param name="name">The node's slot.</param>
    /// <param name="slot">What the primary says of it; null when it has none.</param>
    /// <param name="shards">The smallest position of the node's shards.</param>
    public static IEnumerable<PreflightCheck> Slot(string name, SlotState? slot, Lsn shards)
    {
        const string slotName = "slot";
        if (slot is null)
        {
            yield return PreflightCheck.Fail(
                CheckCodes.Slot, slotName, $"{name} is not on the primary.", "What was committed since is no longer in the log.", "dbsync run copies everything again, beside the old files");
            yield break;
        }
        yield return slot.WalStatus switch
        {
            "lost" => PreflightCheck.Fail(
                CheckCodes.Slot, slotName, $"{name} has lost its log.", "What the node missed can't be had any more.", "dbsync run copies everything again, beside the old files"),
            "unreserved" => PreflightCheck.Warn(
                CheckCodes.Slot, slotName, $"{name} is about to lose its log.", "The node is too far behind.", "Start dbsync run, or raise max_slot_wal_keep_size."),
            _ => PreflightCheck.Ok(
                CheckCodes.Slot, slotName, $"{name} is {(slot.Active ? "active" : "inactive")} and {slot.WalStatus}; it keeps {slot.RetainedBytes} bytes of log."),
        };
        yield return slot.Confirmed <= shards
            ? PreflightCheck.Ok(CheckCodes.SlotPosition, "slot position", $"Confirmed {slot.Confirmed}; the shards hold {shards}.")
            : PreflightCheck.Fail(
                CheckCodes.SlotPosition, "slot position", $"Confirmed {slot.Confirmed}; the shards hold only {shards}.", "What lies between is missing for ever.",
                "dbsync run copies everything again, beside the old files");
    }
}
