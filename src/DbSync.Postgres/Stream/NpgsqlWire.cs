using System.Runtime.CompilerServices;
using Npgsql.Internal;
using Npgsql.Replication;

namespace DbSync.Postgres;

/// <summary>
/// The bytes under a replication connection that Npgsql has opened, with its TLS and its authentication. Npgsql's own replication
/// loop wakes its reader for each message and hides keepalives; reading the connection directly costs a fraction and tells positions.
/// </summary>
internal static class NpgsqlWire
{
    /// <exception cref="DbSyncException">DBS3007 when this Npgsql keeps its stream elsewhere.</exception>
    public static Stream Of(LogicalReplicationConnection connection)
    {
        try
        {
            return StreamOf(ConnectorOf(connection));
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
}
