using System.Net.Sockets;
using DbSync.Testing;

namespace DbSync.EndToEnd.Tests.Fixtures;

/// <summary>The proxy before an echo server: each fault is what it says, and mended.</summary>
public sealed class FaultProxyTests : IAsyncDisposable
{
    private readonly TcpListener _echo = new(System.Net.IPAddress.Loopback, 0);
    private readonly FaultProxy _proxy;

    public FaultProxyTests()
    {
        _echo.Start();
        _ = EchoAsync();
        _proxy = FaultProxy.Before(((System.Net.IPEndPoint)_echo.LocalEndpoint).Port);
    }

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _echo.Stop();
    }

    [Fact]
    public async Task A_stall_in_either_direction_holds_bytes_back_until_it_is_mended()
    {
        using var client = await Connect();
        foreach (var way in new[] { Way.ToServer, Way.ToClient, Way.Both })
        {
            _proxy.Stall(way);
            await client.SendAsync(new byte[] { 7 }, Ct);
            var answer = Receive(client, 1);
            await Eventually.Async(() => _proxy.Held == 1, cancellationToken: Ct);
            answer.IsCompleted.ShouldBeFalse();
            _proxy.Mend();
            (await answer).ShouldBe(1);
        }
    }

    [Fact]
    public async Task A_cut_ends_connections_and_refuses_new_ones_until_it_is_mended()
    {
        using var client = await Connect();
        _proxy.Cut();
        await Gone(client);
        using var refused = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await Gone(refused, connect: true);
        _proxy.Mend();
        using var again = await Connect();
        await again.SendAsync(new byte[] { 1 }, Ct);
        (await Receive(again, 1)).ShouldBe(1);
    }

    [Fact]
    public async Task A_reset_comes_in_the_middle_of_a_message()
    {
        using var client = await Connect();
        _proxy.ResetAfter(600, Way.ToServer);
        await client.SendAsync(new byte[1_000], Ct);
        await Gone(client);
    }

    [Fact]
    public async Task A_trickle_passes_everything_slowly()
    {
        using var client = await Connect();
        _proxy.Trickle(10, TimeSpan.FromMilliseconds(5));
        var started = TimeProvider.System.GetTimestamp();
        await client.SendAsync(new byte[100], Ct);
        (await Receive(client, 100)).ShouldBe(100);
        TimeProvider.System.GetElapsedTime(started).ShouldBeGreaterThan(TimeSpan.FromMilliseconds(50));
    }

    private async Task<Socket> Connect()
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync("127.0.0.1", _proxy.Port, Ct);
        return socket;
    }

    private static async Task<int> Receive(Socket socket, int bytes)
    {
        var received = 0;
        while (received < bytes && await socket.ReceiveAsync(new byte[1_024], Ct) is > 0 and var read) received += read;
        return received;
    }

    private async Task Gone(Socket socket, bool connect = false)
    {
        try
        {
            if (connect) await socket.ConnectAsync("127.0.0.1", _proxy.Port, Ct);
            while (await socket.ReceiveAsync(new byte[1_024], Ct) > 0)
            {
            }
        }
        catch (SocketException)
        {
            // A reset arrives as an error.
        }
    }

    private async Task EchoAsync()
    {
        try
        {
            while (true) _ = ServeAsync(await _echo.AcceptSocketAsync());
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException or InvalidOperationException)
        {
            // Stopped.
        }

        static async Task ServeAsync(Socket socket)
        {
            var buffer = new byte[4_096];
            try
            {
                while (await socket.ReceiveAsync(buffer) is > 0 and var read) await socket.SendAsync(buffer.AsMemory(0, read));
            }
            catch (SocketException)
            {
                // Reset by the proxy.
            }

            socket.Dispose();
        }
    }
}
