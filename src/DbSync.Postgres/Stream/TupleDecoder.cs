namespace DbSync.Postgres;

/// <summary>Decodes the tuples of a change into cells.</summary>
internal sealed class TupleDecoder
{
    private readonly ChangeBuffer _identity = new(4096);
    private readonly ChangeBuffer _key = new(4096);

    /// <summary>Appends a new row; a key value that was not sent because it did not change is taken from the old identity.</summary>
    /// <returns>False when a value was not sent because it did not change.</returns>
    public bool Row(scoped ref WireReader reader, Relation relation, TransactionPart part, ReadOnlySpan<byte> identity)
    {
        var target = part.Changes;
        var codecs = relation.Codecs;
        var complete = true;
        CheckCount(ref reader, codecs.Length);
        for (var i = 0; i < codecs.Length; i++)
        {
            switch (reader.Byte())
            {
                case (byte)'t':
                    if (!codecs[i].DecodeText(reader.Bytes(reader.Int32()), target)) part.MarkKept(relation.Table, i);
                    break;
                case (byte)'n':
                    target.WriteNull();
                    break;
                case (byte)'u':
                    if (relation.IsKey[i]) WriteKeyCell(relation.Table, i, identity, target);
                    else
                    {
                        target.WriteUnchanged();
                        complete = false;
                    }
                    break;
                default:
                    throw WireReader.Malformed("a value of an unknown kind");
            }
        }
        return complete;
    }

    /// <summary>The identity of an old row: its key cells in key order, or all of it when the table has no key. Valid until the next call.</summary>
    public ReadOnlySpan<byte> Identity(scoped ref WireReader reader, Relation relation)
    {
        var table = relation.Table;
        _identity.Clear();
        CheckCount(ref reader, relation.Codecs.Length);
        for (var i = 0; i < relation.Codecs.Length; i++)
        {
            var wanted = !table.HasKey || relation.IsKey[i];
            switch (reader.Byte())
            {
                case (byte)'t':
                    var value = reader.Bytes(reader.Int32());
                    if (wanted) relation.Codecs[i].DecodeText(value, _identity);
                    break;
                case (byte)'n':
                    if (wanted) _identity.WriteNull();
                    break;
                default:
                    throw WireReader.Malformed("an old row with a value of an unknown kind");
            }
        }
        if (!table.HasKey || table.Key.Length == 1) return _identity.Written;
        return InKeyOrder(table);
    }

    /// <summary>The first column of a row whose value can't be had; -1 when each can, but not all together.</summary>
    public int FindUnstorable(scoped WireReader reader, Relation relation)
    {
        CheckCount(ref reader, relation.Codecs.Length);
        for (var i = 0; i < relation.Codecs.Length; i++)
        {
            if (reader.Byte() != 't') continue;
            _identity.Clear();
            try
            {
                relation.Codecs[i].DecodeText(reader.Bytes(reader.Int32()), _identity);
            }
            catch (DbSyncException exception) when (ErrorCodes.IsOfValue(exception.Code))
            {
                return i;
            }
        }
        return -1;
    }

    /// <summary>True when a row has exactly this key, byte for byte.</summary>
    public bool HasKey(TableSchema table, ReadOnlySpan<byte> row, ReadOnlySpan<byte> identity)
    {
        var before = _key.Length;
        RowCells.AppendKey(table, row, _key);
        var same = _key.Written[before..].SequenceEqual(identity);
        _key.Rewind(before);
        return same;
    }

    private ReadOnlySpan<byte> InKeyOrder(TableSchema table)
    {
        _key.Clear();
        foreach (var ordinal in table.Key)
        {
            var rest = _identity.Written;
            foreach (var earlier in table.Key)
                if (earlier < ordinal) rest = rest[Cell.SizeOf(rest)..];
            _key.Append(rest[..Cell.SizeOf(rest)]);
        }
        return _key.Written;
    }

    private static void WriteKeyCell(TableSchema table, int column, ReadOnlySpan<byte> identity, ChangeBuffer target)
    {
        if (identity.IsEmpty) throw WireReader.Malformed("a key value that was not sent, and no old key either");
        foreach (var ordinal in table.Key)
        {
            var size = Cell.SizeOf(identity);
            if (ordinal == column)
            {
                target.Append(identity[..size]);
                return;
            }
            identity = identity[size..];
        }
    }

    private static void CheckCount(ref WireReader reader, int expected)
    {
        if (reader.Int16() != expected) throw WireReader.Malformed("a row with another number of columns than its table");
    }
}
