using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using static DbSync.Sqlite.VirtualTableApi;

namespace DbSync.Sqlite;

/// <summary>
/// More shards than SQLite attaches, read as one: a virtual table whose rows are those of the same table in every shard, each over a connection
/// of its own. Comparisons with a column go into each shard's own query, where its index answers them; the rest is SQLite's as ever.
/// </summary>
internal sealed unsafe class ShardScan : IDisposable
{
    public const string ModuleName = "dbsync_shards";

    private static readonly Module* Callbacks = MakeModule();
    private readonly IReadOnlyList<nint> _shards;
    private readonly IReadOnlyList<IDisposable> _owned;
    private readonly List<Source> _sources = [];

    /// <param name="shards">The shards' connections.</param>
    /// <param name="owned">What goes with the connection that reads all.</param>
    public ShardScan(IReadOnlyList<nint> shards, IReadOnlyList<IDisposable> owned) => (_shards, _owned) = (shards, owned);

    /// <summary>Makes the module known on a connection; it ends with that.</summary>
    public void Register(nint database)
    {
        var handle = GCHandle.Alloc(this);
        if (CreateModule(database, ModuleName, Callbacks, GCHandle.ToIntPtr(handle), &OnModuleGone) != SqliteApi.Ok)
            throw new DbSyncException(ErrorCodes.StorageFailed, $"The shards can't be read together ({SqliteApi.ErrorMessage(database)}).");
    }

    /// <summary>The statement that makes a table over all shards.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="declaration">Its columns as in CREATE TABLE.</param>
    /// <param name="columns">Their names.</param>
    /// <param name="collations">Their collations; a comparison under another one is not for the shards.</param>
    /// <param name="from">What each shard is asked for: a table, and perhaps a condition with the shard's number.</param>
    public string CreateSql(string name, string declaration, IReadOnlyList<string> columns, IReadOnlyList<string> collations, Func<int, string> from)
    {
        _sources.Add(new Source(declaration, columns, collations, from));
        return string.Create(CultureInfo.InvariantCulture, $"CREATE VIRTUAL TABLE temp.{SqlName.Quote(name)} USING {ModuleName}({_sources.Count - 1});");
    }

    public void Dispose()
    {
        foreach (var owned in _owned) owned.Dispose();
    }

    private static Module* MakeModule()
    {
        var module = (Module*)NativeMemory.AllocZeroed((nuint)sizeof(Module));
        module->Version = 1;
        module->Create = &OnConnect;
        module->Connect = &OnConnect;
        module->BestIndex = &OnBestIndex;
        module->Disconnect = &OnDisconnect;
        module->Destroy = &OnDisconnect;
        module->Open = &OnOpen;
        module->Close = &OnClose;
        module->Filter = &OnFilter;
        module->Next = &OnNext;
        module->Eof = &OnEof;
        module->Column = &OnColumn;
        module->RowId = &OnRowId;
        return module;
    }

    private static T At<T>(nint self)
        where T : class => (T)GCHandle.FromIntPtr(self).Target!;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnModuleGone(nint aux)
    {
        At<ShardScan>(aux).Dispose();
        GCHandle.FromIntPtr(aux).Free();
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int OnConnect(nint database, nint aux, int count, byte** arguments, Table** table, byte** error)
    {
        var scan = At<ShardScan>(aux);
        var source = scan._sources[int.Parse(Marshal.PtrToStringUTF8((nint)arguments[3])!, CultureInfo.InvariantCulture)];
        var result = Declare(database, $"CREATE TABLE x({source.Declaration})");
        if (result != SqliteApi.Ok) return result;
        *table = (Table*)NativeMemory.AllocZeroed((nuint)sizeof(Table));
        (*table)->Self = GCHandle.ToIntPtr(GCHandle.Alloc(new Opened(scan._shards, source)));
        return SqliteApi.Ok;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int OnDisconnect(Table* table)
    {
        GCHandle.FromIntPtr(table->Self).Free();
        NativeMemory.Free(table);
        return SqliteApi.Ok;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int OnBestIndex(Table* table, IndexInfo* info)
    {
        var (shards, source) = At<Opened>(table->Self);
        var text = new StringBuilder();
        var (arguments, cost) = (0, 1e6);
        for (var i = 0; i < info->ConstraintCount; i++)
        {
            var constraint = info->Constraints[i];
            var comparison = constraint.Operator switch { Equal => "=", Greater => ">", LessOrEqual => "<=", Less => "<", GreaterOrEqual => ">=", _ => null };
            if (constraint.Usable == 0 || constraint.Column < 0 || comparison is null) continue;
            if (!string.Equals(Marshal.PtrToStringUTF8((nint)Collation(info, i)), source.Collations[constraint.Column], StringComparison.OrdinalIgnoreCase)) continue;
            text.Append(arguments == 0 ? "" : " AND ").Append(SqlName.Quote(source.Columns[constraint.Column])).Append(' ').Append(comparison).Append(" ?");
            info->Usages[i].ArgumentIndex = ++arguments; // and checked again by SQLite: the shards may give too many rows, never too few
            cost /= constraint.Operator == Equal ? 1000 : 4;
        }
        info->Cost = cost + (shards.Count * 20);
        info->Rows = (long)cost + 1;
        var utf8 = Encoding.UTF8.GetBytes(text.Append('\0').ToString());
        info->IndexText = Allocate(utf8.Length);
        info->FreeIndexText = 1;
        utf8.CopyTo(new Span<byte>(info->IndexText, utf8.Length));
        return SqliteApi.Ok;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int OnOpen(Table* table, Cursor** cursor)
    {
        *cursor = (Cursor*)NativeMemory.AllocZeroed((nuint)sizeof(Cursor));
        (*cursor)->Self = GCHandle.ToIntPtr(GCHandle.Alloc(new ShardCursor(At<Opened>(table->Self))));
        return SqliteApi.Ok;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int OnClose(Cursor* cursor)
    {
        At<ShardCursor>(cursor->Self).Dispose();
        GCHandle.FromIntPtr(cursor->Self).Free();
        NativeMemory.Free(cursor);
        return SqliteApi.Ok;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int OnFilter(Cursor* cursor, int number, byte* text, int count, nint* values) =>
        At<ShardCursor>(cursor->Self).Begin(Marshal.PtrToStringUTF8((nint)text)!, new ReadOnlySpan<nint>(values, count));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int OnNext(Cursor* cursor) => At<ShardCursor>(cursor->Self).Next();

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int OnEof(Cursor* cursor) => At<ShardCursor>(cursor->Self).IsAtEnd ? 1 : 0;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int OnColumn(Cursor* cursor, nint context, int column)
    {
        ResultValue(context, ColumnValue(At<ShardCursor>(cursor->Self).Statement, column));
        return SqliteApi.Ok;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int OnRowId(Cursor* cursor, long* row)
    {
        *row = At<ShardCursor>(cursor->Self).Row;
        return SqliteApi.Ok;
    }

    internal sealed record Source(string Declaration, IReadOnlyList<string> Columns, IReadOnlyList<string> Collations, Func<int, string> From);

    internal sealed record Opened(IReadOnlyList<nint> Shards, Source Source);
}

/// <summary>One pass over a table in all shards, one shard after the other.</summary>
internal sealed unsafe class ShardCursor(ShardScan.Opened opened) : IDisposable
{
    private readonly List<nint> _values = [];
    private string _condition = "";
    private int _shard;

    public nint Statement { get; private set; }

    public long Row { get; private set; }

    public bool IsAtEnd => Statement == 0;

    public int Begin(string condition, ReadOnlySpan<nint> values)
    {
        Dispose();
        foreach (var value in values) _values.Add(Duplicate(value));
        (_condition, _shard) = (condition, -1);
        return Next();
    }

    public int Next()
    {
        Row++;
        while (true)
        {
            if (Statement != 0)
            {
                var result = SqliteApi.Step(Statement);
                if (result == SqliteApi.Row) return SqliteApi.Ok;
                _ = SqliteApi.Finalize(Statement);
                Statement = 0;
                if (result != SqliteApi.Done) return result;
            }
            if (++_shard == opened.Shards.Count) return SqliteApi.Ok;
            var prepared = Prepare();
            if (prepared != SqliteApi.Ok) return prepared;
        }
    }

    public void Dispose()
    {
        if (Statement != 0) _ = SqliteApi.Finalize(Statement);
        Statement = 0;
        foreach (var value in _values) FreeValue(value);
        _values.Clear();
    }

    private int Prepare()
    {
        var sql = $"SELECT {SqlName.List(opened.Source.Columns)} FROM (SELECT * FROM {opened.Source.From(_shard)}){(_condition.Length == 0 ? "" : $" WHERE {_condition}")}";
        var utf8 = Encoding.UTF8.GetBytes(sql);
        fixed (byte* pointer = utf8)
        {
            var result = SqliteApi.Prepare(opened.Shards[_shard], pointer, utf8.Length, 0, out var statement, 0);
            if (result != SqliteApi.Ok) return result;
            Statement = statement;
        }
        for (var i = 0; i < _values.Count; i++) _ = BindValue(Statement, i + 1, _values[i]);
        return SqliteApi.Ok;
    }
}
