using System.Runtime.InteropServices;

namespace DbSync.Sqlite;

/// <summary>The part of SQLite's C interface that a virtual table needs. Source: sqlite.org/vtab.html and c3ref.</summary>
internal static unsafe partial class VirtualTableApi
{
    public const int Equal = 2, Greater = 4, LessOrEqual = 8, Less = 16, GreaterOrEqual = 32;

    private const string Library = "e_sqlite3";

    [LibraryImport(Library, EntryPoint = "sqlite3_create_module_v2", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int CreateModule(nint database, string name, Module* module, nint aux, delegate* unmanaged[Cdecl]<nint, void> destroy);

    [LibraryImport(Library, EntryPoint = "sqlite3_declare_vtab", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Declare(nint database, string sql);

    [LibraryImport(Library, EntryPoint = "sqlite3_vtab_collation")]
    public static partial byte* Collation(IndexInfo* info, int constraint);

    [LibraryImport(Library, EntryPoint = "sqlite3_malloc")]
    public static partial byte* Allocate(int bytes);

    [LibraryImport(Library, EntryPoint = "sqlite3_value_dup")]
    public static partial nint Duplicate(nint value);

    [LibraryImport(Library, EntryPoint = "sqlite3_value_free")]
    public static partial void FreeValue(nint value);

    [LibraryImport(Library, EntryPoint = "sqlite3_bind_value")]
    public static partial int BindValue(nint statement, int index, nint value);

    [LibraryImport(Library, EntryPoint = "sqlite3_column_value")]
    public static partial nint ColumnValue(nint statement, int column);

    [LibraryImport(Library, EntryPoint = "sqlite3_result_value")]
    public static partial void ResultValue(nint context, nint value);

    [LibraryImport(Library, EntryPoint = "sqlite3_result_null")]
    public static partial void ResultNull(nint context);

    /// <summary><c>sqlite3_module</c>, version 1.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Module
    {
        public int Version;
        public delegate* unmanaged[Cdecl]<nint, nint, int, byte**, Table**, byte**, int> Create;
        public delegate* unmanaged[Cdecl]<nint, nint, int, byte**, Table**, byte**, int> Connect;
        public delegate* unmanaged[Cdecl]<Table*, IndexInfo*, int> BestIndex;
        public delegate* unmanaged[Cdecl]<Table*, int> Disconnect;
        public delegate* unmanaged[Cdecl]<Table*, int> Destroy;
        public delegate* unmanaged[Cdecl]<Table*, Cursor**, int> Open;
        public delegate* unmanaged[Cdecl]<Cursor*, int> Close;
        public delegate* unmanaged[Cdecl]<Cursor*, int, byte*, int, nint*, int> Filter;
        public delegate* unmanaged[Cdecl]<Cursor*, int> Next;
        public delegate* unmanaged[Cdecl]<Cursor*, int> Eof;
        public delegate* unmanaged[Cdecl]<Cursor*, nint, int, int> Column;
        public delegate* unmanaged[Cdecl]<Cursor*, long*, int> RowId;
        public nint Update, Begin, Sync, Commit, Rollback, FindFunction, Rename;
    }

    /// <summary><c>sqlite3_vtab</c> and what stands behind it.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Table
    {
        public nint Module;
        public int References;
        public byte* Error;
        public nint Self;
    }

    /// <summary><c>sqlite3_vtab_cursor</c> and what stands behind it.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Cursor
    {
        public Table* Table;
        public nint Self;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct Constraint
    {
        public int Column;
        public byte Operator;
        public byte Usable;
        public int TermOffset;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct ConstraintUsage
    {
        public int ArgumentIndex;
        public byte Omit;
    }

    /// <summary><c>sqlite3_index_info</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct IndexInfo
    {
        public int ConstraintCount;
        public Constraint* Constraints;
        public int OrderCount;
        public nint Orders;
        public ConstraintUsage* Usages;
        public int IndexNumber;
        public byte* IndexText;
        public int FreeIndexText;
        public int OrderConsumed;
        public double Cost;
        public long Rows;
        public int Flags;
        public ulong ColumnsUsed;
    }
}
