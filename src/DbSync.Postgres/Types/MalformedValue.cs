using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace DbSync.Postgres.Types;

/// <summary>The one way a codec refuses wire bytes. The message names the type and the length, never the value.</summary>
internal static class MalformedValue
{
    [DoesNotReturn]
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Throw(string type, int lengthBytes) =>
        throw new DbSyncException(
            ErrorCodes.ValueUnstorable,
            $"PostgreSQL sent {lengthBytes} bytes that are no value of type {type} under DbSync's session settings.");

    public static void ThrowUnless([DoesNotReturnIf(false)] bool wellFormed, string type, ReadOnlySpan<byte> wire)
    {
        if (!wellFormed) Throw(type, wire.Length);
    }
}
