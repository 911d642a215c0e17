using System.Buffers.Binary;
using Npgsql;

namespace DbSync.Postgres;

/// <summary>
/// Reads a slot's backlog through SQL: the walsender hands out one message for each system call, while a query decodes a large piece of the
/// log at once and COPY carries it in bulk. What is read is a temporary copy of the slot, which dies with its connection; the slot itself
/// stays where it is, is advanced to durable positions only, and keeps the log meanwhile.
/// </summary>
/// <remarks>
/// An advisory lock on the slot's name stands for the walsender that would otherwise keep others away. The whole result of a query is
/// materialised on the primary: a piece is bounded by the log that is decoded for it, and where a long transaction makes that much more, the
/// walsender goes on. Sources: logicalfuncs.c and slotfuncs.c of PostgreSQL; PostgreSQL manual, "Replication Management Functions".
/// </remarks>
internal sealed class SlotDrain : IDisposable
{
    /// <summary>The first key of the advisory lock; the second is the hash of the slot's name. "DBSY".</summary>
    public const int LockClass = 0x44425359;

    private const string Scratch = "pg_catalog.concat('dbsync_drain_', pg_catalog.pg_backend_pid())";

    private readonly NpgsqlConnection _connection;
    private readonly Primary _primary;
    private readonly PrimaryOptions _options;
    private Lsn _confirmed;

    private SlotDrain(Primary primary, PrimaryOptions options) => (_primary, _options, _connection) = (primary, options, primary.OpenBlocking());

    /// <summary>The server process that reads.</summary>
    public int ServerProcess => _connection.ProcessID;

    /// <summary>Where the next piece begins: everything before has been handed out.</summary>
    public Lsn Position { get; private set; }

    /// <summary>The end of the primary's log when it was looked at last.</summary>
    public Lsn PrimaryPosition { get; private set; }

    /// <summary>Locks the slot and makes its copy, which begins after <paramref name="position"/>.</summary>
    /// <exception cref="DbSyncException">DBS3003 when somebody else follows the slot.</exception>
    /// <exception cref="PostgresException">The server can't do this: the walsender has to.</exception>
    public static SlotDrain Start(Primary primary, PrimaryOptions options, Lsn position)
    {
        var drain = new SlotDrain(primary, options);
        try
        {
            drain.Execute("SET statement_timeout = 0; SET lock_timeout = 0; SET idle_session_timeout = 0; SET client_connection_check_interval = '2s'");
            if (!(bool)drain.Scalar(
                "SELECT pg_catalog.pg_try_advisory_lock($1, pg_catalog.hashtext(slot_name::text)) AND NOT active FROM pg_catalog.pg_replication_slots WHERE slot_name = $2",
                LockClass, options.Slot)!)
                throw PrimaryErrors.SlotInUse("another process follows it");
            drain.Execute($"SELECT pg_catalog.pg_copy_logical_replication_slot($1, {Scratch}::name, true)", options.Slot);
            drain.Position = Lsn.Max(position, Lsn.Parse((string)drain.Scalar(
                $"SELECT confirmed_flush_lsn::text FROM pg_catalog.pg_replication_slots WHERE slot_name = {Scratch}")!));
            return drain;
        }
        catch
        {
            drain.Dispose();
            throw;
        }
    }

    /// <summary>Looks where the next piece ends.</summary>
    /// <returns>Null when the walsender does it better: little is left, or a long transaction has to be decoded anew for every piece.</returns>
    public Lsn? NextEnd()
    {
        using var command = Primary.Command(
            _connection, $"SELECT pg_catalog.pg_current_wal_flush_lsn()::text, restart_lsn::text FROM pg_catalog.pg_replication_slots WHERE slot_name = {Scratch}");
        using var reader = command.ExecuteReader();
        reader.Read();
        PrimaryPosition = Lsn.Parse(reader.GetString(0));
        var restart = Lsn.Parse(reader.GetString(1));
        var left = PrimaryPosition.Value > Position.Value ? PrimaryPosition.Value - Position.Value : 0;
        var end = left > 2 * (ulong)_options.DrainPieceBytes ? new Lsn(Position.Value + (ulong)_options.DrainPieceBytes) : PrimaryPosition;
        return left >= (ulong)_options.DrainLeastBytes && end.Value - restart.Value <= (ulong)_options.DrainDecodedBytesMax ? end : null;
    }

    /// <summary>Starts to read the piece that ends at <paramref name="end"/>; the rows are the messages of <c>pgoutput</c>.</summary>
    public CopyOut Read(Lsn end) => new(
        _connection,
        $"COPY (SELECT data FROM pg_catalog.pg_logical_slot_get_binary_changes({Scratch}::name, {PgName.Literal(end.ToString())}, NULL, "
        + $"'proto_version', '1', 'publication_names', {PgName.Literal(PgName.Quote(_options.Publication))})) TO STDOUT (FORMAT binary)");

    /// <summary>Everything up to <paramref name="position"/> has been handed out.</summary>
    public void Passed(Lsn position) => Position = Lsn.Max(Position, position);

    /// <summary>Confirms a durable position of the slot itself, from any thread.</summary>
    public void Acknowledge(Lsn durable)
    {
        if (durable <= _confirmed) return;
        _primary.Block(connection =>
        {
            using var command = Primary.Command(
                connection,
                """
                SELECT pg_catalog.pg_replication_slot_advance(slot_name, $2::text::pg_lsn) FROM pg_catalog.pg_replication_slots
                WHERE slot_name = $1 AND NOT active AND confirmed_flush_lsn < $2::text::pg_lsn
                """,
                _options.Slot, durable.ToString());
            return command.ExecuteNonQuery();
        });
        _confirmed = durable;
    }

    /// <summary>The field of a row that holds one message.</summary>
    public static ReadOnlySpan<byte> MessageOf(ReadOnlySpan<byte> fields) => fields.Slice(4, BinaryPrimitives.ReadInt32BigEndian(fields));

    /// <summary>Ends whatever it waits for; from any thread.</summary>
    public void Cut() => NpgsqlWire.Cut(_connection);

    public void Dispose() => _connection.Dispose();

    private void Execute(string sql, params object?[] parameters)
    {
        using var command = Primary.Command(_connection, sql, parameters);
        command.ExecuteNonQuery();
    }

    private object? Scalar(string sql, params object?[] parameters)
    {
        using var command = Primary.Command(_connection, sql, parameters);
        return command.ExecuteScalar();
    }
}
