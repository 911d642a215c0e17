using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace DbSync.Sqlite;

/// <summary>Compares two texts (UTF-8) as a collation orders them.</summary>
internal delegate int CollationOrder(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right);

/// <summary>Registers on a connection the collations that replica columns are declared with.</summary>
internal static unsafe class SqliteCollations
{
    /// <summary>Registers those that need nothing but their name. A column's RTRIM is SQLite's own.</summary>
    /// <param name="connection">The <c>sqlite3*</c>, whoever opened it.</param>
    public static void RegisterBuiltIn(nint connection)
    {
        foreach (var (name, order) in ReplicaCollations.BuiltIn) Register(connection, name, order);
    }

    public static void RegisterEnum(nint connection, string name, IReadOnlyList<string> labels) =>
        Register(connection, name, ReplicaCollations.Enum(labels));

    private static void Register(nint connection, string name, CollationOrder order)
    {
        var handle = GCHandle.Alloc(order);
        var result = SqliteApi.CreateCollation(connection, name, SqliteApi.Utf8, GCHandle.ToIntPtr(handle), &Compare, &Destroy);
        if (result == SqliteApi.Ok) return;
        handle.Free();
        throw new DbSyncException(ErrorCodes.StorageFailed, $"SQLite answered {result} to the collation '{name}'.");
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Compare(nint argument, int leftBytes, byte* left, int rightBytes, byte* right) =>
        Unsafe.As<CollationOrder>(GCHandle.FromIntPtr(argument).Target!)(new(left, leftBytes), new(right, rightBytes));

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Destroy(nint argument) => GCHandle.FromIntPtr(argument).Free();
}
