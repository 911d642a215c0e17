using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace DbSync.Sqlite;

/// <summary>One connection to one SQLite file, for one thread at a time.</summary>
internal sealed unsafe class SqliteDatabase : IDisposable
{
    /// <summary>The first version without the race between a writer and a checkpoint that loses commits (sqlite.org, 3.51.3).</summary>
    private const int VersionMin = 3_051_003;

    private readonly string _name;
    private GCHandle _self;
    private readonly int _busyTimeoutMs;
    private nint _handle;

    /// <param name="path">The file, created when missing.</param>
    /// <param name="name">What messages call it.</param>
    /// <param name="readOnly">Whether the file must exist and stays as it is.</param>
    /// <param name="busyTimeoutMs">How long a lock of somebody else is waited for.</param>
    /// <exception cref="DbSyncException">DBS4003 SQLite too old, DBS4004 the file can't be opened.</exception>
    public SqliteDatabase(string path, string name, bool readOnly = false, int busyTimeoutMs = 10_000)
    {
        (_name, _busyTimeoutMs) = (name, busyTimeoutMs);
        CheckVersion();
        RefuseLink(path, name);
        var access = readOnly ? SqliteApi.OpenReadOnly : SqliteApi.OpenReadWrite | SqliteApi.OpenCreate;
        var flags = access | SqliteApi.OpenNoMutex | SqliteApi.OpenExtendedResultCodes;
        Check(SqliteApi.Open(path, out _handle, flags, 0));
        WaitForLocks(true);
        _self = GCHandle.Alloc(this, GCHandleType.Weak);

        // Also turns SQLite's own automatic checkpoint off, which is a hook like this one: PRAGMA wal_autocheckpoint would take this one away.
        SqliteApi.WalHook(_handle, &OnWal, GCHandle.ToIntPtr(_self));
    }

    /// <summary>Loads the native library and returns its version number.</summary>
    /// <exception cref="DbSyncException">DBS4003 SQLite too old.</exception>
    public static int CheckVersion()
    {
        SQLitePCL.Batteries_V2.Init();
        var version = SqliteApi.VersionNumber();
        return version >= VersionMin
            ? version
            : throw new DbSyncException(
                ErrorCodes.SqliteTooOld,
                $"SQLite {version} can lose commits while its log is copied back.",
                "Reference SQLitePCLRaw.bundle_e_sqlite3 3.0.5 or newer.");
    }

    /// <summary>A file elsewhere, whose mode and owner nobody has looked at, is not written or read through a link.</summary>
    /// <exception cref="DbSyncException">DBS4006 when the file is a symbolic link.</exception>
    public static void RefuseLink(string path, string name)
    {
        if (new FileInfo(path).LinkTarget is not null)
            throw new DbSyncException(ErrorCodes.ShardFileIsLink, $"'{name}' is a symbolic link.", "Put the file itself there, or make the data directory as a whole a link.");
    }

    /// <summary>Pages in the write-ahead log after the last commit.</summary>
    public int WalPages { get; private set; }

    /// <summary>Rows that the last statement changed.</summary>
    public long Changes => SqliteApi.Changes(_handle);

    public nint Handle => _handle;

    public void Execute(string sql) => Check(SqliteApi.Execute(_handle, sql, 0, 0, 0));

    public SqliteStatement Prepare(string sql)
    {
        var utf8 = Encoding.UTF8.GetBytes(sql);
        fixed (byte* pointer = utf8)
        {
            Check(SqliteApi.Prepare(_handle, pointer, utf8.Length, SqliteApi.PreparePersistent, out var statement, 0));
            return new SqliteStatement(this, statement);
        }
    }

    /// <summary>Runs a query that gives one integer; 0 when it gives no row.</summary>
    public long QueryInteger(string sql)
    {
        using var statement = Prepare(sql);
        return statement.Step() ? statement.Integer(0) : 0;
    }

    /// <summary>Copies the write-ahead log back as far as readers allow.</summary>
    /// <returns>How many of its pages are copied.</returns>
    public int CopyBackWal()
    {
        var result = SqliteApi.WalCheckpoint(_handle, 0, SqliteApi.CheckpointPassive, out var frames, out var copied);
        if (result != SqliteApi.Busy) Check(result);
        if (frames == copied) WalPages = 0;
        return copied;
    }

    /// <summary>Whether a lock of somebody else is waited for.</summary>
    public void WaitForLocks(bool wait) => Check(SqliteApi.BusyTimeout(_handle, wait ? _busyTimeoutMs : 0));

    /// <summary>Throws what a result code means.</summary>
    public void Check(int result)
    {
        if (result is SqliteApi.Ok or SqliteApi.Row or SqliteApi.Done) return;
        throw Failure(result);
    }

    public DbSyncException Failure(int result)
    {
        var message = _handle == 0 ? "" : SqliteApi.ErrorMessage(_handle);
        var (code, fix) = (result & 0xFF) switch
        {
            SqliteApi.TooBig => (ErrorCodes.ValueUnstorable, "SQLite holds at most 1,000,000,000 bytes in a value and in a row."),
            SqliteApi.Corrupt or SqliteApi.NotADatabase => (ErrorCodes.ShardFileDamaged, "Copy the shard again with 'dbsync resync'."),
            _ => (ErrorCodes.StorageFailed, "Nothing acknowledged is lost; mend the disk and start again."),
        };
        return new DbSyncException(code, $"SQLite answered {result} ({message}) on '{_name}'.", fix);
    }

    public void Dispose()
    {
        if (_handle == 0) return;
        _ = SqliteApi.Close(_handle); // with statements left it closes once they are finalized
        _handle = 0;
        _self.Free();
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int OnWal(nint argument, nint database, byte* name, int pages)
    {
        if (GCHandle.FromIntPtr(argument).Target is SqliteDatabase self) self.WalPages = pages;
        return SqliteApi.Ok;
    }
}
