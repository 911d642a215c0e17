using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace DbSync.Testing;

/// <summary>
/// A TCP port nobody listens on, from below the system's range for outgoing connections: a port from that range could be taken, or even
/// connected to itself, by a client that retries while the server it belongs to is down.
/// </summary>
internal static class FreePort
{
    private const int First = 15_000;
    private const int Last = 32_000;

    public static int Next()
    {
        const int attemptsMax = 1_000;
        for (var attempt = 0; attempt < attemptsMax; attempt++)
        {
            var port = Random.Shared.Next(First, Last);
            if (IsFree(port))
                return port;
        }

        throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture, $"No free port between {First} and {Last}."));
    }

    private static bool IsFree(int port)
    {
        using var listener = new TcpListener(IPAddress.Loopback, port);
        try
        {
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
