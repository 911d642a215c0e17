using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace DbSync.Postgres;

/// <summary>
/// Decodes the messages of <c>pgoutput</c> (protocol 2) into parts of transactions: no allocation per row, every length checked, and a
/// message that no server sends changes nothing. The same decoder serves the walsender's stream and the drain through SQL, where no
/// transaction is streamed before its end. One that is waits in <see cref="StreamedTransactions"/> as it came, and is decoded at its commit:
/// only then are its types and tables in the catalog, and most that is rolled back is never looked at.
/// </summary>
/// <remarks>Source: PostgreSQL manual, "Logical Replication Message Formats".</remarks>
internal sealed partial class PgOutputDecoder(
    IRelationResolver resolver, PartPool pool, int partBytesMax, TimeProvider time, StreamedTransactions? streamed = null) : IDisposable
{
    private const int ColumnBytesMin = 10; // flags, an empty name's end, type, modifier

    private readonly Dictionary<uint, long> _announced = [];
    private Dictionary<uint, Relation> _relations = [];
    private SpilledReplay? _replay;
    private readonly TupleDecoder _tuples = new();
    private TransactionPart? _part;
    private Relation? _last;
    private uint _xid;
    private Lsn _commitLsn;
    private long _committedAtMicros;
    private bool _inside;
    private bool _begins;

    /// <summary>True between a transaction's beginning and its end: the position must not move then.</summary>
    public bool IsInside => _inside || streamed is { IsInBlock: true };

    /// <summary>True when a transaction that waited has committed: its parts come from <see cref="Replay"/>, before the next message.</summary>
    public bool HasReplay => _replay is not null;

    /// <summary>Decodes one message.</summary>
    /// <returns>A part that is complete, or null.</returns>
    /// <exception cref="DbSyncException">DBS3001; the decoder stands as before the message.</exception>
    public TransactionPart? Decode(ReadOnlySpan<byte> message)
    {
        if (streamed is { IsInBlock: true })
        {
            streamed.Take(message);
            return null;
        }
        var reader = new WireReader(message);
        switch (reader.Byte())
        {
            case (byte)'I':
                return Insert(ref reader);
            case (byte)'U':
                return Update(ref reader);
            case (byte)'D':
                return Delete(ref reader);
            case (byte)'B':
                Begin(ref reader);
                return null;
            case (byte)'C':
                return Commit(ref reader);
            case (byte)'R':
                return Announce(ref reader);
            case (byte)'T':
                return Truncate(ref reader);
            case (byte)'Y' or (byte)'O' or (byte)'M':
                return null; // types are looked up when needed; origins and foreign messages say nothing about rows
            case (byte)'S' when streamed is not null && !_inside:
                streamed.Start(ref reader);
                return null;
            case (byte)'A' when streamed is not null && !_inside:
                streamed.Abort(ref reader);
                return null;
            case (byte)'c' when streamed is not null && !_inside:
                CommitStreamed(ref reader, streamed);
                return null;
            default:
                throw WireReader.Malformed("a message of an unknown kind");
        }
    }

    /// <summary>The next part of a transaction that waited; after its last part there is no replay any more.</summary>
    /// <exception cref="DbSyncException">DBS3001 what waited can't be, DBS3102 it can't be read.</exception>
    public TransactionPart Replay()
    {
        var replay = _replay!;
        while (replay.Messages.TryRead(out var message))
        {
            var reader = new WireReader(message);
            var part = reader.Byte() switch
            {
                (byte)'I' => Insert(ref reader),
                (byte)'U' => Update(ref reader),
                (byte)'D' => Delete(ref reader),
                (byte)'T' => Truncate(ref reader),
                _ => Announce(ref reader),
            };
            if (part is not null) return part;
        }
        (_replay, _last) = (null, null);
        foreach (var (oid, announced) in replay.Transaction.Announced)
            if (!_announced.TryGetValue(oid, out var at) || at < announced) (replay.Outside[oid], _announced[oid]) = (_relations[oid], announced);
        _relations = replay.Outside;
        replay.Transaction.Dispose();
        return End(replay.EndLsn);
    }

    public void Dispose()
    {
        _replay?.Transaction.Dispose();
        streamed?.Dispose();
    }

    private void CommitStreamed(ref WireReader reader, StreamedTransactions streamed)
    {
        var (xid, _, commit, end, at) = (reader.UInt32(), reader.Byte(), reader.Lsn(), reader.Lsn(), reader.Int64());
        reader.End();
        if (end < commit) throw WireReader.Malformed("a commit that ends before it begins");
        var transaction = streamed.Commit(xid);
        _replay = new SpilledReplay(transaction, transaction.Read(), end, _relations);
        (_relations, _last) = ([], null); // it has announced the tables that it changes, whatever was announced outside
        (_commitLsn, _committedAtMicros, _xid, _inside, _begins) = (commit, at, xid, true, true);
        Failpoint.Hit(Failpoint.BeforeReplay);
    }

    private void Begin(ref WireReader reader)
    {
        if (_inside) throw WireReader.Malformed("a transaction begins inside another");
        var (commit, at, xid) = (reader.Lsn(), reader.Int64(), reader.UInt32());
        reader.End();
        (_commitLsn, _committedAtMicros, _xid, _inside, _begins) = (commit, at, xid, true, true);
    }

    private TransactionPart Commit(ref WireReader reader)
    {
        if (!_inside) throw WireReader.Malformed("a commit without a transaction");
        reader.Byte();
        var (commit, end) = (reader.Lsn(), reader.Lsn());
        reader.Int64(); // when it was committed: its beginning has said so
        reader.End();
        if (commit != _commitLsn || end < commit) throw WireReader.Malformed("a commit of another transaction");
        return End(end);
    }

    private TransactionPart End(Lsn end)
    {
        var part = Part();
        part.EndLsn = end;
        part.Ends = true;
        (_part, _inside) = (null, false);
        return part;
    }

    private TransactionPart? Announce(ref WireReader reader)
    {
        var (oid, schema, name, identity) = (reader.UInt32(), reader.Text(), reader.Text(), (ReplicaIdentity)reader.Byte());
        var count = reader.Int16();
        if (count < 0 || count > reader.Length / ColumnBytesMin) throw WireReader.Malformed("an impossible number of columns");
        var columns = new List<RelationColumn>(count);
        for (var i = 0; i < count; i++)
        {
            var flags = reader.Byte();
            columns.Add(new RelationColumn(reader.Text(), reader.UInt32(), reader.Int32(), (flags & 1) != 0));
        }
        reader.End();
        var relation = resolver.Resolve(new RelationMessage(oid, schema.Length == 0 ? "pg_catalog" : schema, name, identity, columns), _xid);
        _relations[oid] = relation;
        _last = null;
        if (_replay is null && streamed is not null) _announced[oid] = ++streamed.Announcement;
        return null;
    }

    private TransactionPart? Insert(ref WireReader reader)
    {
        var relation = RelationOf(reader.UInt32());
        if (reader.Byte() != 'N') throw WireReader.Malformed("an insert without a new row");
        if (relation.IsSchemaLog) return LogSchema(ref reader, relation);
        var part = Part();
        var (start, tables) = Start(part, ChangeKind.Insert, relation);
        var tuple = reader;
        try
        {
            if (!_tuples.Row(ref reader, relation, part, default)) part.MarkIncomplete(start);
            reader.End();
        }
        catch (DbSyncException exception) when (ErrorCodes.IsOfValue(exception.Code))
        {
            part.CancelChange(start, tables);
            return SetAside(part, relation, tuple, exception);
        }
        catch
        {
            part.CancelChange(start, tables);
            throw;
        }
        return End(part, start);
    }

    private TransactionPart? Update(ref WireReader reader)
    {
        var relation = RelationOf(reader.UInt32());
        if (relation.IsSchemaLog) return null; // only what is added to it counts
        var tag = reader.Byte();
        ReadOnlySpan<byte> identity = default;
        if (tag is (byte)'K' or (byte)'O')
        {
            var old = reader;
            if (!TryIdentity(ref reader, relation, out identity, out var refusal)) return SetAside(Part(), relation, old, refusal);
            tag = reader.Byte();
        }
        else if (!relation.Table.HasKey)
        {
            throw WireReader.Malformed("an update of a table without a key that does not say which row");
        }
        if (tag != 'N') throw WireReader.Malformed("an update without a new row");
        var part = Part();
        var moved = !identity.IsEmpty;
        var (start, tables) = Start(part, ChangeKind.Replace, relation);
        var tuple = reader;
        try
        {
            if (moved) part.Changes.Append(identity);
            var row = part.Changes.Length;
            _tuples.Row(ref reader, relation, part, identity);
            reader.End();
            var stays = !moved || (relation.Table.HasKey && _tuples.HasKey(relation.Table, part.Changes.Written[row..], identity));
            if (stays) part.KeepOnlyRow(start, row);
        }
        catch (DbSyncException exception) when (ErrorCodes.IsOfValue(exception.Code))
        {
            part.CancelChange(start, tables);
            return SetAside(part, relation, tuple, exception);
        }
        catch
        {
            part.CancelChange(start, tables);
            throw;
        }
        return End(part, start);
    }

    private TransactionPart? Delete(ref WireReader reader)
    {
        var relation = RelationOf(reader.UInt32());
        if (relation.IsSchemaLog) return null;
        if (reader.Byte() is not ((byte)'K' or (byte)'O')) throw WireReader.Malformed("a delete that does not say which row");
        var old = reader;
        if (!TryIdentity(ref reader, relation, out var identity, out var refusal)) return SetAside(Part(), relation, old, refusal);
        reader.End();
        var part = Part();
        var (start, _) = Start(part, ChangeKind.Delete, relation);
        part.Changes.Append(identity);
        return End(part, start);
    }

    private bool TryIdentity(
        scoped ref WireReader reader, Relation relation, out ReadOnlySpan<byte> identity, [NotNullWhen(false)] out DbSyncException? refusal)
    {
        try
        {
            identity = _tuples.Identity(ref reader, relation);
            refusal = null;
            return true;
        }
        catch (DbSyncException exception) when (ErrorCodes.IsOfValue(exception.Code))
        {
            identity = default;
            refusal = exception;
            return false;
        }
    }

    /// <summary>In the place of a change that can't be had: its table is set aside.</summary>
    private TransactionPart? SetAside(TransactionPart part, Relation relation, WireReader tuple, DbSyncException refusal)
    {
        var column = _tuples.FindUnstorable(tuple, relation);
        var (start, _) = Start(part, ChangeKind.Quarantine, relation);
        part.Changes.WriteInteger(column);
        part.Changes.WriteText(Encoding.UTF8.GetBytes(refusal.Message));
        return End(part, start);
    }

    private TransactionPart? Truncate(ref WireReader reader)
    {
        var count = reader.Int32();
        reader.Byte(); // CASCADE and RESTART IDENTITY: the server names every table that it emptied
        if (count < 0 || count > 1 << 20) throw WireReader.Malformed("an impossible number of tables");
        var ahead = reader;
        for (var i = 0; i < count; i++) RelationOf(ahead.UInt32());
        ahead.End();
        var part = Part();
        for (var i = 0; i < count; i++)
            if (RelationOf(reader.UInt32()) is { IsSchemaLog: false } relation) part.EndChange(Start(part, ChangeKind.Truncate, relation).Offset);
        return null;
    }

    private Relation RelationOf(uint oid)
    {
        if (!_inside) throw WireReader.Malformed("a change outside a transaction");
        if (_last is not null && _last.Table.Id.Oid == oid) return _last;
        return _relations.TryGetValue(oid, out var relation) ? _last = relation : throw WireReader.Malformed("a change of a table that was not announced");
    }

    private static (int Offset, int Tables) Start(TransactionPart part, ChangeKind kind, Relation relation)
    {
        var tables = part.Tables.Count;
        return (part.BeginChange(kind, relation.Table), tables);
    }

    private TransactionPart? End(TransactionPart part, int start)
    {
        part.EndChange(start);
        if (part.Changes.Length < partBytesMax) return null;
        _part = null;
        return part;
    }

    private TransactionPart Part()
    {
        if (_part is not null) return _part;
        var part = _part = pool.Rent();
        (part.Xid, part.CommitLsn, part.CommittedAtMicros, part.Begins) = (_xid, _commitLsn, _committedAtMicros, _begins);
        part.ReceivedAt = time.GetTimestamp();
        _begins = false;
        return part;
    }

    /// <summary>A transaction that waited and has committed.</summary>
    private sealed record SpilledReplay(StreamedTransaction Transaction, SpillReader Messages, Lsn EndLsn, Dictionary<uint, Relation> Outside);
}
