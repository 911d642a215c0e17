namespace DbSync.Sqlite;

/// <summary>
/// Copies a shard's write-ahead log back into its file on a connection and a thread of its own, while the shard's writer goes on: most of
/// what it costs is waiting for the disk.
/// </summary>
/// <param name="path">The shard's file.</param>
internal sealed class WalCopier(string path) : IDisposable
{
    private SqliteDatabase? _database;
    private Task _pass = Task.CompletedTask;

    public bool IsRunning => !_pass.IsCompleted;

    /// <summary>Pages of the log that the last pass has left copied; the writer begins a new log once it finds all of them copied.</summary>
    public int CopiedPages { get; private set; }

    /// <summary>Starts a pass.</summary>
    /// <exception cref="DbSyncException">What ended the pass before.</exception>
    public void Start()
    {
        Wait();
        _pass = Task.Factory.StartNew(Copy, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>Waits for the pass that is under way.</summary>
    /// <inheritdoc cref="Start"/>
    public void Wait()
    {
        var pass = _pass;
        _pass = Task.CompletedTask;
        pass.GetAwaiter().GetResult();
    }

    public void Dispose()
    {
        ((IAsyncResult)_pass).AsyncWaitHandle.WaitOne();
        _database?.Dispose();
    }

    private void Copy()
    {
        _database ??= new SqliteDatabase(path, Path.GetFileName(path));
        CopiedPages = _database.CopyBackWal();
    }
}
