using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Npgsql.Internal;
using Npgsql.Replication;

namespace DbSync.Postgres;

/// <summary>
/// The bytes under a replication connection that Npgsql has opened, with its TLS and its authentication. Npgsql's own replication
/// loop wakes its reader for each message and hides keepalives; reading the connection directly costs a fraction and tells positions.
/// </summary>
/// <remarks>
/// .NET leaves a socket that was used asynchronously non-blocking, and then wakes a synchronous reader through its event loop: a detour
/// over a third thread for every message. Made blocking again, the reader sleeps in the system call itself.
/// </remarks>
internal static partial class NpgsqlWire
{
    /// <exception cref="DbSyncException">DBS3007 when this Npgsql keeps its stream elsewhere.</exception>
    public static Stream Of(LogicalReplicationConnection connection, TimeProvider time)
    {
        try
        {
            var connector = ConnectorOf(connection);
            var (stream, socket) = (StreamOf(connector), SocketOf(connector));
            stream.ReadTimeout = Timeout.Infinite; // how long silence may last is the replication stream's own business
            if (!OperatingSystem.IsWindows()) _ = SetNonBlocking(socket.SafeHandle, 0); // refused, it is only slower
            return stream is NetworkStream ? new ReceiveStream(socket, time) : stream;
        }
        catch (Exception exception) when (exception is MissingMemberException or TypeLoadException)
        {
            throw new DbSyncException(
                ErrorCodes.DriverMismatch, "This version of Npgsql is not one that DbSync knows.", "Use Npgsql 10.0.x.", exception);
        }
    }

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_Connector")]
    private static extern NpgsqlConnector ConnectorOf(ReplicationConnection connection);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_stream")]
    private static extern ref Stream StreamOf(NpgsqlConnector connector);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_socket")]
    private static extern ref Socket SocketOf(NpgsqlConnector connector);

    [LibraryImport("libSystem.Native", EntryPoint = "SystemNative_FcntlSetIsNonBlocking")]
    private static partial int SetNonBlocking(SafeHandle socket, int isNonBlocking);
}
