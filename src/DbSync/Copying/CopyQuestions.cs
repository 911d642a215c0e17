namespace DbSync;

/// <summary>What a shard has to ask the primary in the middle of a change while a table is copied; asked until there is an answer.</summary>
internal sealed class CopyQuestions(ICopySource source, TimeSpan retryDelay, TimeProvider time)
{
    /// <summary>In which chunk each key is; null when the primary won't say: the table has changed.</summary>
    public Task<int[]?> FindAsync(TableSchema table, IReadOnlyList<ChunkBound> bounds, IReadOnlyList<byte[]> keys, CancellationToken cancellationToken) =>
        AskAsync<int[]>(async () => await source.FindChunksAsync(table, bounds, keys, cancellationToken), cancellationToken);

    /// <summary>A row as it is now; null when the primary won't say: the table has changed.</summary>
    public Task<RowNow?> ReadAsync(TableSchema table, byte[] key, ulong seen, CancellationToken cancellationToken) =>
        AskAsync<RowNow>(async () => await source.ReadRowAsync(table, key, seen, cancellationToken), cancellationToken);

    private async Task<T?> AskAsync<T>(Func<Task<T>> ask, CancellationToken cancellationToken)
        where T : class
    {
        while (true)
        {
            try
            {
                return await ask();
            }
            catch (ChunkNotReadyException exception)
            {
                if (exception.ChangedTo is not null || exception.IsGone) return null;
            }
            catch (DbSyncException exception) when (ErrorCodes.IsOfPrimary(exception.Code))
            {
                if (!ErrorCodes.IsPassing(exception.Code)) return null;
            }
            await Task.Delay(retryDelay, time, cancellationToken);
        }
    }
}
