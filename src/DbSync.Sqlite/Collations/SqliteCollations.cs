using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace DbSync.Sqlite;

/// <summary>Compares two texts (UTF-8) as a collation orders them.</summary>
internal delegate int CollationOrder(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right);

/// <summary>Registers on a connection the collations that replica columns are declared with.</summary>
internal static unsafe class SqliteCollations
{
    /// <summary>Registers those that need nothing but their name. A column's RTRIM is SQLite's own.</summary>
    public static void RegisterBuiltIn(SqliteDatabase database)
    {
        foreach (var (name, order) in ReplicaCollations.BuiltIn) Register(database, name, order);
    }

    public static void RegisterEnum(SqliteDatabase database, string name, IReadOnlyList<string> labels) =>
        Register(database, name, ReplicaCollations.Enum(labels));

    private static void Register(SqliteDatabase database, string name, CollationOrder order)
    {
        var handle = GCHandle.Alloc(order);
        database.Check(SqliteApi.CreateCollation(database.Handle, name, SqliteApi.Utf8, GCHandle.ToIntPtr(handle), &Compare, &Destroy));
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Compare(nint argument, int leftBytes, byte* left, int rightBytes, byte* right) =>
        Unsafe.As<CollationOrder>(GCHandle.FromIntPtr(argument).Target!)(new(left, leftBytes), new(right, rightBytes));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Destroy(nint argument) => GCHandle.FromIntPtr(argument).Free();
}
