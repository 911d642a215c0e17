using System.Net;
using System.Net.Sockets;

namespace DbSync.Testing;

/// <summary>The two ways through a <see cref="FaultProxy"/>, to be combined.</summary>
[Flags]
public enum Way
{
    None = 0,

    /// <summary>What the client sends.</summary>
    ToServer = 1,

    /// <summary>What the server answers.</summary>
    ToClient = 2,

    Both = ToServer | ToClient,
}

/// <summary>
/// A TCP proxy on 127.0.0.1 before a real server, that breaks the network between them as told: cut, stalled in one or both directions, slow,
/// trickling, or reset in the middle of a message. A stall holds bytes back as a network does that drops packets: mended, they arrive.
/// </summary>
public sealed class FaultProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, FreePort.Next());
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _gate = new();
    private readonly List<ProxiedConnection> _connections = [];
    private readonly string _host;
    private readonly Task _accepting;
    private int _port;
    private int _ended;
    private bool _cut;

    private FaultProxy(string host, int port)
    {
        (_host, _port) = (host, port);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    /// <summary>Where clients connect.</summary>
    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>How many connections have ever been made through it.</summary>
    public int Accepted { get; private set; }

    /// <summary>How many of those are over: both ends are closed, and what had arrived was passed on.</summary>
    public int Ended => Volatile.Read(ref _ended);

    /// <summary>How many connections' bytes a stall holds back now, each direction by itself.</summary>
    public int Held => Faults.Held;

    /// <summary>How often the server has answered what a client had sent, over all connections.</summary>
    public long RoundTrips => Faults.RoundTrips;

    internal NetworkFaults Faults { get; } = new();

    /// <summary>A proxy before a server; everything passes until told otherwise.</summary>
    public static FaultProxy Before(int port, string host = "127.0.0.1") => new(host, port);

    /// <summary>Every connection is closed, and new ones are closed at once.</summary>
    public void Cut()
    {
        lock (_gate) _cut = true;
        DropConnections();
    }

    /// <summary>Connections stay open and new ones are accepted, but no byte arrives: a partition, in one direction or both.</summary>
    public void Stall(Way way = Way.Both) => Faults.Stall(way);

    /// <summary>Every byte arrives later by <paramref name="delay"/>, in both directions.</summary>
    public void Delay(TimeSpan delay) => Faults.Delay = delay;

    /// <summary>At most so many bytes pass at a time, each time later by <paramref name="pause"/>.</summary>
    public void Trickle(int bytes, TimeSpan pause) => (Faults.PieceMax, Faults.Delay) = (bytes, pause);

    /// <summary>Each connection is reset when so many more bytes have passed in a direction: in the middle of a message.</summary>
    public void ResetAfter(long bytes, Way way) => Faults.ResetAfter(bytes, way);

    /// <summary>Resets (RST) the connections that are open now; new ones pass.</summary>
    public void DropConnections()
    {
        ProxiedConnection[] open;
        lock (_gate)
        {
            open = [.. _connections];
            _connections.Clear();
        }

        foreach (var connection in open) connection.Reset();
    }

    /// <summary>New connections go to another server, and the old ones are reset: a failover.</summary>
    public void Retarget(int port)
    {
        lock (_gate) _port = port;
        DropConnections();
    }

    /// <summary>Everything passes again.</summary>
    public void Mend()
    {
        lock (_gate) _cut = false;
        Faults.Mend();
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        _listener.Stop();
        DropConnections();
        await _accepting.ConfigureAwait(false);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            Socket client;
            try
            {
                client = await _listener.AcceptSocketAsync(_stop.Token).ConfigureAwait(false);
            }
            catch (Exception exception) when (exception is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }

            lock (_gate)
            {
                Accepted++;
                var connection = new ProxiedConnection(client, Faults);
                if (_cut)
                {
                    connection.Reset();
                    continue;
                }

                _connections.Add(connection);
                _ = RunAsync(connection, _port);
            }
        }
    }

    private async Task RunAsync(ProxiedConnection connection, int port)
    {
        await connection.RunAsync(_host, port, _stop.Token).ConfigureAwait(false);
        Interlocked.Increment(ref _ended);
    }
}
