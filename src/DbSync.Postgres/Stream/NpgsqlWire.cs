using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Npgsql;
using Npgsql.Internal;
using Npgsql.Replication;

namespace DbSync.Postgres;

/// <summary>
/// The bytes under a connection that Npgsql has opened, with its TLS and its authentication. Npgsql's own loops are called once for each
/// message, of a stream or of a COPY; reading the connection directly costs a fraction, and tells keepalives.
/// </summary>
/// <remarks>
/// Only for connections whose socket is a <see cref="BlockingSocket"/>: they must never be used asynchronously.
/// </remarks>
internal static class NpgsqlWire
{
    /// <summary>Opens a connection for logical replication, blocking.</summary>
    /// <exception cref="DbSyncException">DBS3007 when this Npgsql is built otherwise.</exception>
    public static NpgsqlConnection OpenReplication(string connectionString)
    {
        var connection = Guarded(() => InnerOf(new LogicalReplicationConnection(connectionString)));
        connection.Open();
        BlockingSocket.Make(SocketOf(connection));
        return connection;
    }

    /// <summary>The stream under an open connection that nothing runs on. It is the driver's again once an answer was read to its end.</summary>
    /// <exception cref="DbSyncException">DBS3007 when this Npgsql keeps its stream elsewhere.</exception>
    public static Stream StreamOf(NpgsqlConnection connection)
    {
        var stream = Guarded(() => StreamOf(ConnectorOf(connection)));
        stream.ReadTimeout = Timeout.Infinite; // how long silence may last is the reader's own business
        return stream;
    }

    /// <summary>The socket under an open connection.</summary>
    /// <inheritdoc cref="StreamOf(NpgsqlConnection)"/>
    public static Socket SocketOf(NpgsqlConnection connection) => Guarded(() => SocketOf(ConnectorOf(connection)));

    /// <summary>Ends whatever a connection is waiting for; it is broken afterwards.</summary>
    public static void Cut(NpgsqlConnection connection)
    {
        try
        {
            SocketOf(connection).Shutdown(SocketShutdown.Both);
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException or NullReferenceException or InvalidOperationException)
        {
            // It has ended by itself.
        }
    }

    private static T Guarded<T>(Func<T> find)
    {
        try
        {
            return find();
        }
        catch (Exception exception) when (exception is MissingMemberException or TypeLoadException)
        {
            throw new DbSyncException(
                ErrorCodes.DriverMismatch, "This version of Npgsql is not one that DbSync knows.", "Use Npgsql 10.0.x.", exception);
        }
    }

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_npgsqlConnection")]
    private static extern ref NpgsqlConnection InnerOf(ReplicationConnection connection);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_Connector")]
    private static extern NpgsqlConnector ConnectorOf(NpgsqlConnection connection);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_stream")]
    private static extern ref Stream StreamOf(NpgsqlConnector connector);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_socket")]
    private static extern ref Socket SocketOf(NpgsqlConnector connector);
}
