using System.Net.Sockets;

namespace DbSync.Testing;

/// <summary>One client's connection through a <see cref="FaultProxy"/>, and the one to the server that belongs to it.</summary>
internal sealed class ProxiedConnection(Socket client, NetworkFaults faults)
{
    private readonly Socket _server = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private int _asked;

    public async Task RunAsync(string host, int port, CancellationToken cancellationToken)
    {
        try
        {
            client.NoDelay = true;
            await _server.ConnectAsync(host, port, cancellationToken).ConfigureAwait(false);
            await Task.WhenAny(PumpAsync(client, _server, Way.ToServer, cancellationToken), PumpAsync(_server, client, Way.ToClient, cancellationToken)).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The server is away, or the test is over: the client sees a closed connection.
        }

        Reset();
    }

    /// <summary>RST, not FIN: what is under way is lost.</summary>
    public void Reset()
    {
        foreach (var socket in new[] { client, _server })
        {
            try
            {
                socket.LingerState = new LingerOption(enable: true, seconds: 0);
            }
            catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
            {
                // Closed already.
            }

            socket.Dispose();
        }
    }

    private async Task PumpAsync(Socket from, Socket to, Way way, CancellationToken cancellationToken)
    {
        var buffer = new byte[16 * 1024];
        try
        {
            while (await from.ReceiveAsync(buffer, cancellationToken).ConfigureAwait(false) is > 0 and var read)
            {
                if (way == Way.ToServer) Volatile.Write(ref _asked, 1);
                else if (Interlocked.Exchange(ref _asked, 0) == 1) faults.CountRoundTrip();
                for (var sent = 0; sent < read;)
                {
                    await faults.PassAsync(way, cancellationToken).ConfigureAwait(false);
                    var piece = Math.Min(read - sent, faults.PieceMax);
                    var cutAt = faults.Allow(piece, way);
                    sent += await to.SendAsync(buffer.AsMemory(sent, (int)(cutAt ?? piece)), cancellationToken).ConfigureAwait(false);
                    if (cutAt is not null) return;
                }
            }
        }
        catch (Exception exception) when (exception is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // One end is gone: the other is closed with it.
        }
    }
}
