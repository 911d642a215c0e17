namespace DbSync;

/// <summary>What only the primary can tell in the middle of a change: in which chunk a key is, and a row that has to be read by itself.</summary>
internal sealed partial class ChangeApplier
{
    private const int KeysAskedMax = 4096;

    /// <summary>Ends a wait in <see cref="WaitForChunk"/>; from any thread.</summary>
    public Action Wake { get; init; } = () => { };

    /// <summary>What is asked of the primary in the middle of a change.</summary>
    public CopyQuestions? Questions { get; set; }

    /// <summary>
    /// An unchanged value of a row that enters a chunk is only on the primary: the row is read from there as it is now, a chunk of one. What
    /// its snapshot sees of the changes to come is in it already.
    /// </summary>
    private void ReadRow(TableSchema table, byte[] key, uint xid)
    {
        var now = Questions is { } questions ? Answer(token => questions.ReadAsync(table, key, Widen(_copies[table.Id], xid), token)) : null;
        if (!_copies.TryGetValue(table.Id, out var copy)) return;
        if (now is null)
        {
            StartOver(table, xid);
            return;
        }
        ReadOnlySpan<byte> cells = now.Cells;
        if (now.Cells is not null) _store.Insert(table, ref cells);
        copy.SetRow(key, now.Snapshot);
        _store.SaveRow(table.Id, key, now.Snapshot);
        if (copy.Record.State != TableState.CatchingUp) return;
        copy.Record = copy.Record with { ReadableFrom = Lsn.Max(copy.Record.ReadableFrom, now.InsertedUpTo) };
        _store.SaveTable(copy.Record);
    }

    /// <summary>Asks in which chunks the keys are that this part changes; false when the table has been started over instead.</summary>
    private bool Ask(TableCopy copy, TableSchema table, ReadOnlySpan<byte> key, uint xid)
    {
        var keys = new HashSet<byte[]>(KeyComparer.Instance) { key.ToArray() };
        var reader = new ChangeReader(_part!);
        while (reader.Read() && keys.Count < KeysAskedMax)
        {
            if (reader.Table.Id.Oid != table.Id.Oid || reader.Kind is ChangeKind.Truncate or ChangeKind.Quarantine) continue;
            if (reader.Kind == ChangeKind.Replace)
            {
                reader.Split(out var identity, out var row);
                if (!copy.IsPlaced(identity)) keys.Add(identity.ToArray());
                Collect(KeyOfRow(reader.Table, row));
            }
            else Collect(reader.Kind == ChangeKind.Delete ? reader.Cells : KeyOfRow(reader.Table, reader.Cells));
        }
        List<byte[]> asked = [.. keys];
        List<ChunkBound> bounds = [.. copy.Chunks.Skip(1).Select(c => c.Lower!)];
        var places = Questions is { } questions ? Answer(token => questions.FindAsync(table, bounds, asked, token)) : null;
        if (places is null) StartOver(table, xid);
        else copy.Place(asked, places);
        return places is not null;

        void Collect(ReadOnlySpan<byte> found)
        {
            if (!copy.IsPlaced(found)) keys.Add(found.ToArray());
        }
    }

    /// <summary>Waits for an answer, while commands go on.</summary>
    private T Answer<T>(Func<CancellationToken, Task<T>> question)
    {
        using var abandon = new CancellationTokenSource();
        var answer = question(abandon.Token);
        try
        {
            _ = answer.ContinueWith(_ => Wake(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            while (!answer.IsCompleted) WaitForChunk();
            return answer.GetAwaiter().GetResult();
        }
        finally
        {
            abandon.Cancel();
        }
    }
}
