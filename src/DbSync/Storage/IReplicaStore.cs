namespace DbSync;

/// <summary>The shards of a replica that live on this node.</summary>
internal interface IReplicaStore : IDisposable
{
    /// <summary>Opens every shard of this node, creating what is missing.</summary>
    /// <exception cref="DbSyncException">DBS4001 damaged, DBS4002 written by a newer version, DBS4005 another shard's file.</exception>
    IReadOnlyList<IShardStore> Open();
}

/// <summary>
/// One shard file, used by one thread. Rows, the state of copies and the position change only between <see cref="Begin"/> and
/// <see cref="Commit"/>, and become visible to readers and survive a crash together or not at all.
/// </summary>
internal interface IShardStore : IDisposable
{
    ShardId Id { get; }

    /// <summary>The position of the last commit; <see cref="Lsn.Zero"/> before the first.</summary>
    Lsn Position { get; }

    /// <summary>The bytes of log that a <see cref="TruncateWal"/> would copy back.</summary>
    long WalBytes { get; }

    /// <summary>Starts a transaction.</summary>
    /// <param name="durable">Whether its commit returns only once everything committed so far is on disk.</param>
    void Begin(bool durable);

    /// <summary>Starts a transaction whose commit need not be durable; false when somebody else has the file locked at this moment.</summary>
    bool TryBegin();

    /// <summary>Commits together with the position that the rows belong to.</summary>
    void Commit(Lsn position);

    void Rollback();

    /// <summary>Notes that a source transaction was applied; kept only in test mode, as the journal the crash tests read.</summary>
    void Journal(Lsn endLsn, uint xid);

    /// <summary>Adds a row and moves <paramref name="row"/> past its cells.</summary>
    /// <exception cref="DbSyncException">DBS5001 when the key is there already, DBS4101 when a value or the row is too large, as from every change.</exception>
    void Insert(TableSchema table, ref ReadOnlySpan<byte> row);

    /// <summary>Adds the rows of a copy.</summary>
    /// <param name="table">Their table.</param>
    /// <param name="rows">The cells of one row after another; they must stay where they are in memory meanwhile.</param>
    /// <param name="isHere">Which of them belong here; null for all.</param>
    /// <returns>How many were added.</returns>
    /// <exception cref="DbSyncException">DBS5001 when a key is there already; the transaction must be rolled back then.</exception>
    long InsertAll(TableSchema table, ReadOnlySpan<byte> rows, RowFilter? isHere);

    /// <summary>Sets the sent columns of the row with the new row's key; returns how many rows had it.</summary>
    int Update(TableSchema table, ReadOnlySpan<byte> row);

    /// <summary>Turns the row with <paramref name="identity"/> into <paramref name="row"/>; returns how many rows had it.</summary>
    int Replace(TableSchema table, ReadOnlySpan<byte> identity, ReadOnlySpan<byte> row);

    /// <summary>Deletes one row with this identity; returns how many rows had it.</summary>
    int Delete(TableSchema table, ReadOnlySpan<byte> identity);

    /// <summary>Reads the row with this key into <paramref name="target"/>; false when there is none.</summary>
    bool TryRead(TableSchema table, ReadOnlySpan<byte> key, ChangeBuffer target);

    void Truncate(TableSchema table);

    /// <summary>The shard layout that holds at this position; null when there is none.</summary>
    ShardLayout? LoadLayout();

    void SaveLayout(ShardLayout layout);

    /// <summary>The buckets that tables are about to get, and that only the copies beside them have.</summary>
    IReadOnlyList<(TableId Table, BucketSet Buckets)> LoadArriving();

    /// <summary>Records what a table is about to get; null for nothing.</summary>
    void SaveArriving(TableId table, BucketSet? buckets);

    /// <summary>The buckets of which tables may have rows that no longer belong here.</summary>
    IReadOnlyList<(TableId Table, BucketSet Buckets)> LoadLeaving();

    /// <summary>Records what a table has given up; null for nothing.</summary>
    void SaveLeaving(TableId table, BucketSet? buckets);

    /// <summary>Deletes those of some rows, one after another by the key, that are chosen.</summary>
    /// <param name="table">The table.</param>
    /// <param name="after">Where to begin, as returned before; null at the first row.</param>
    /// <param name="rowsMax">How many rows to look at.</param>
    /// <param name="isChosen">Told the identity of each.</param>
    /// <returns>Where to go on; null when there is no further row.</returns>
    byte[]? DeleteSome(TableSchema table, byte[]? after, int rowsMax, RowFilter isChosen);

    /// <summary>Keeps a row that a transaction moved to another shard, which may have to be told of it again.</summary>
    void SaveMoved(Lsn commit, TableSchema table, ReadOnlySpan<byte> identity, ReadOnlySpan<byte> row);

    /// <summary>The cells of a row that was kept; null when there is none.</summary>
    byte[]? LoadMoved(Lsn commit, TableSchema table, ReadOnlySpan<byte> identity);

    /// <summary>Forgets rows that moved before a position; false when none is left.</summary>
    bool ForgetMoved(Lsn before);

    IReadOnlyList<TableRecord> LoadTables();

    IReadOnlyList<ChunkRecord> LoadChunks(TableId table);

    IReadOnlyList<ulong> LoadDroppedTransactions(TableId table);

    /// <summary>Creates the table empty, dropping what stood there under this id or name.</summary>
    void CreateTable(TableRecord record);

    void DropTable(TableId table);

    /// <summary>Lets a shadow take its original's place, name and id; the original's rows go.</summary>
    void PutInPlace(TableSchema shadow);

    /// <summary>Builds the indexes of the primary that are not there yet.</summary>
    void CreateIndexes(TableSchema table);

    /// <summary>Turns a table with its rows into another shape and records it.</summary>
    /// <param name="record">The table as it is from now on.</param>
    /// <param name="change">What is different.</param>
    /// <param name="values">For each column of the new shape what rows hold that were there before it.</param>
    /// <returns>False when SQLite can't; then nothing has changed.</returns>
    bool TryAlterTable(TableRecord record, TableChange change, ReadOnlySpan<byte> values);

    /// <summary>Records another description of a table whose rows are stored as before, and makes its indexes those described.</summary>
    void SaveSchema(TableRecord record, bool withIndexes);

    /// <summary>Records a table's state; its schema is that of <see cref="CreateTable"/>.</summary>
    void SaveTable(TableRecord record);

    /// <summary>Records why a table is set aside, until it is created again.</summary>
    void SaveQuarantine(TableId table, Quarantine quarantine);

    /// <summary>Replaces the recorded chunks of a table.</summary>
    void SaveChunks(TableId table, IReadOnlyList<ChunkRecord> chunks);

    /// <summary>Records one chunk as copied.</summary>
    void SaveChunk(TableId table, ChunkRecord chunk);

    /// <summary>Remembers a transaction whose change was dropped because its chunk is not here yet.</summary>
    void SaveDroppedTransaction(TableId table, ulong xid);

    /// <summary>The rows of a table under copy that were read by themselves, by the cells of their keys.</summary>
    IReadOnlyList<(byte[] Key, TransactionSnapshot Snapshot)> LoadRows(TableId table);

    void SaveRow(TableId table, byte[] key, TransactionSnapshot snapshot);

    void ForgetRows(TableId table);

    /// <summary>Forgets those below <paramref name="below"/>.</summary>
    void ForgetDroppedTransactions(TableId table, ulong below);

    /// <summary>
    /// Records that a column holds a value that was kept as PostgreSQL's text: queries over it go to the primary. It stays so until the table
    /// is copied again.
    /// </summary>
    void MarkPrimaryOnly(TableSchema table, int column);

    /// <summary>Corrects how many rows a table is said to have, after something else has changed the file.</summary>
    void CorrectRows(TableSchema table, long delta);

    /// <summary>Copies the write-ahead log back into the file, as far as readers allow (SQLite's own checkpoint).</summary>
    void TruncateWal();

    /// <summary>Has the log copied back by another thread meanwhile.</summary>
    /// <returns>False when too little is left for that: what is left is quickly done by <see cref="TruncateWal"/>.</returns>
    bool CopyWalAside();
}

/// <summary>Whether a row belongs to a shard.</summary>
/// <param name="row">Its cells.</param>
internal delegate bool RowFilter(ReadOnlySpan<byte> row);
