namespace DbSync;

/// <summary>A node's data directory, locked for one process. The lock goes with the process, however it ends.</summary>
internal sealed class DataDirectory : IDisposable
{
    public const string LockFileName = "node.lock";
    private readonly FileStream _lock;

    private DataDirectory(string path, FileStream held)
    {
        Path = path;
        _lock = held;
    }

    public string Path { get; }

    /// <summary>Creates the directory, closed to everybody but its owner.</summary>
    public static void Create(string path)
    {
        if (Directory.Exists(path)) return;
        if (OperatingSystem.IsWindows()) Directory.CreateDirectory(path);
        else Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    /// <summary>Takes the directory for this process.</summary>
    /// <exception cref="DbSyncException">DBS1003 when another process has it.</exception>
    public static DataDirectory Lock(string path) => TryLock(path) ?? throw new DbSyncException(
        ErrorCodes.DataDirectoryInUse,
        "Another DbSync process is running on this data directory.",
        "Stop it first; two nodes need a directory each. 'dbsync status' shows what the running one does.");

    /// <summary>Takes the directory; null when another process has it.</summary>
    public static DataDirectory? TryLock(string path)
    {
        try
        {
            var options = new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None };
            if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            return new DataDirectory(path, new FileStream(System.IO.Path.Combine(path, LockFileName), options));
        }
        catch (IOException exception) when (exception is not (DirectoryNotFoundException or FileNotFoundException))
        {
            return null;
        }
    }

    public void Dispose() => _lock.Dispose();
}
