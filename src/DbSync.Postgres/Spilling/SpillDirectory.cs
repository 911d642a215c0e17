namespace DbSync.Postgres;

/// <summary>
/// The folder in which transactions wait that the primary streams before they have ended, a file each. Nothing in it outlives the stream
/// that wrote it: the primary sends again whatever was not applied, so what a dead process left is deleted.
/// </summary>
/// <param name="path">The folder, which only the node that holds the data directory uses.</param>
/// <param name="bytesMax">What all files together may hold.</param>
/// <param name="pause">For how long the primary keeps transactions until they end after that was too little.</param>
/// <param name="time">The clock.</param>
internal sealed class SpillDirectory(string path, long bytesMax, TimeSpan pause, TimeProvider time)
{
    /// <summary>The folder's name in a data directory.</summary>
    public const string FolderName = "spill";

    private readonly Lock _gate = new();
    private DateTimeOffset _pausedUntil;
    private bool _isClosed;
    private long _files;

    /// <summary>What the files hold now, in bytes.</summary>
    public long Bytes { get; private set; }

    /// <summary>False for a while after the limit or the end of the disk was reached.</summary>
    public bool IsUsable => time.GetUtcNow() >= _pausedUntil;

    /// <summary>Deletes what an earlier stream left and makes the folder, closed to everybody but its owner.</summary>
    /// <exception cref="DbSyncException">DBS3102 the folder can't be used.</exception>
    /// <exception cref="ObjectDisposedException">The node has let go of its data directory, which may be another's by now.</exception>
    public void Prepare()
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_isClosed, this);
            Guard(() =>
            {
                if (Directory.Exists(path)) Directory.Delete(path, recursive: true);
                DataDirectory.Create(path);
                return Bytes = 0;
            });
        }
    }

    /// <summary>From now on no stream prepares the folder, not even one that was being opened before.</summary>
    public void Close()
    {
        lock (_gate) _isClosed = true;
    }

    /// <summary>A new file in it.</summary>
    /// <exception cref="DbSyncException">DBS3102 it can't be made.</exception>
    public SpillFile Create()
    {
        var name = Path.Combine(path, FormattableString.Invariant($"{++_files}.spill"));
        return Guard(() => new SpillFile(this, name));
    }

    /// <summary>Makes room for bytes that are about to be written.</summary>
    /// <exception cref="DbSyncException">DBS3101 there is none.</exception>
    public void Take(long bytes)
    {
        if (bytes > bytesMax - Bytes) throw Full(FormattableString.Invariant($"more than the {bytesMax} bytes of disk that may wait for them"));
        Bytes += bytes;
    }

    public void Return(long bytes) => Bytes -= bytes;

    /// <summary>A refusal that ends the stream; the next one leaves transactions with the primary until they end.</summary>
    public DbSyncException Full(string what)
    {
        _pausedUntil = time.GetUtcNow() + pause;
        return new DbSyncException(
            ErrorCodes.SpillFull, $"Transactions that have not ended need {what}.",
            "Nothing is lost: the primary keeps them until they end, for now. Raise spillBytesMax if this comes again.");
    }

    /// <summary>Runs what touches the disk: its failure is none of the connection.</summary>
    /// <exception cref="DbSyncException">DBS3102.</exception>
    public T Guard<T>(Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Failed(exception);
        }
    }

    public DbSyncException Failed(Exception cause)
    {
        _pausedUntil = time.GetUtcNow() + pause;
        return new DbSyncException(
            ErrorCodes.SpillFailed, $"A transaction that has not ended can't be kept in the data directory: {cause.Message}",
            "Nothing is lost: the primary keeps such transactions until they end, for now. Free the disk or mend it.", cause);
    }
}
