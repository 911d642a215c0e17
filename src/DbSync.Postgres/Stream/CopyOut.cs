using System.Net.Sockets;
using Npgsql;

namespace DbSync.Postgres;

/// <summary>
/// Reads <c>COPY ... TO STDOUT</c> from under an ordinary connection of Npgsql's, whose own reader would be called once for each row. Blocks.
/// Source: PostgreSQL manual, "COPY Operations".
/// </summary>
internal sealed class CopyOut : IDisposable
{
    private readonly NpgsqlConnection _connection;
    private readonly ReceiveStream? _bulk;
    private readonly WireMessages _messages;
    private bool _ended;

    /// <summary>Starts the COPY.</summary>
    /// <param name="connection">A blocking one, see <see cref="Primary.Block{T}"/>; nothing else may run on it until the end.</param>
    /// <param name="sql">The COPY.</param>
    public CopyOut(NpgsqlConnection connection, string sql)
    {
        _connection = connection;
        var stream = NpgsqlWire.StreamOf(connection);
        if (stream is NetworkStream)
            _bulk = new ReceiveStream(NpgsqlWire.SocketOf(connection), ownsSocket: false, ReceiveStream.BulkLowWaterBytes, TimeProvider.System);
        _messages = new WireMessages(_bulk ?? stream);
        _messages.Query(sql);
        _bulk?.StartBatching();
    }

    /// <summary>Blocks for the next message: in the binary format one row, with the header before the first. Valid until the next call.</summary>
    /// <returns>False at the end; the connection is the driver's again then.</returns>
    /// <exception cref="DbSyncException">What the server reported, or DBS2001.</exception>
    public bool TryRead(out ReadOnlySpan<byte> bytes)
    {
        while (true)
        {
            switch (_messages.Next(out bytes))
            {
                case (byte)'d':
                    return true;
                case (byte)'E':
                    throw WireMessages.Failure(bytes);
                case (byte)'H' or (byte)'c' or (byte)'C' or (byte)'N' or (byte)'S' or (byte)'A':
                    break;
                case (byte)'Z':
                    _bulk?.StopBatching();
                    _ended = true;
                    return false;
                default:
                    throw WireReader.Malformed("an answer to COPY of an unknown kind");
            }
        }
    }

    /// <summary>Cuts the connection when the COPY did not come to its end: what is still on its way would be taken for the next answer.</summary>
    public void Dispose()
    {
        if (!_ended) NpgsqlWire.Cut(_connection);
    }
}
