using System.Buffers.Binary;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using DbSync.Postgres;
using Npgsql;

namespace DbSync.EndToEnd.Tests.Security;

/// <summary>Off loopback the primary has to prove who it is, unless the connection string says otherwise; nothing is tried without.</summary>
public sealed class TransportTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("Host=db.example.com", SslMode.VerifyFull)]
    [InlineData("Host=10.0.0.1", SslMode.VerifyFull)]
    [InlineData("Host=db.example.com,127.0.0.1", SslMode.VerifyFull)]
    [InlineData("Host=db.example.com;Database=ssl_mode_require;Password=ssl", SslMode.VerifyFull)]
    [InlineData("Host=db.example.com;SSL Mode=Require", SslMode.Require)]
    [InlineData("Host=db.example.com;SslMode=Require", SslMode.Require)]
    [InlineData("Host=127.0.0.1", SslMode.Prefer)]
    [InlineData("Host=/var/run/postgresql", SslMode.Prefer)]
    public async Task Who_says_nothing_gets_the_strictest_off_loopback(string connection, SslMode expected)
    {
        await using var primary = new Primary(connection);
        new NpgsqlConnectionStringBuilder(primary.ConnectionString).SslMode.ShouldBe(expected);
    }

    [Fact]
    public async Task A_server_without_tls_gets_no_login_from_who_said_nothing()
    {
        var address = NetworkInterface.GetAllNetworkInterfaces().Where(i => i.OperationalStatus == OperationalStatus.Up).SelectMany(i => i.GetIPProperties().UnicastAddresses)
            .Select(a => a.Address).FirstOrDefault(a => a.AddressFamily == AddressFamily.InterNetwork && !IPAddress.IsLoopback(a));
        Assert.SkipWhen(address is null, "This machine has no other address than loopback's.");
        using var listener = new TcpListener(address!, 0);
        listener.Start();
        var received = Task.Run(
            async () =>
            {
                using var client = await listener.AcceptTcpClientAsync(Cancel);
                var stream = client.GetStream();
                var request = new byte[8];
                await stream.ReadExactlyAsync(request, Cancel);
                BinaryPrimitives.ReadInt32BigEndian(request.AsSpan(4)).ShouldBe(80877103, "the first word asks for TLS");
                await stream.WriteAsync("N"u8.ToArray(), Cancel); // as a server without it answers, or somebody in between
                return await stream.ReadAsync(new byte[1], Cancel);
            },
            Cancel);
        await using var primary = new Primary($"Host={address};Port={((IPEndPoint)listener.LocalEndpoint).Port};Database=postgres;Username=postgres;Password=not-for-everybody;Timeout=2");
        (await Should.ThrowAsync<DbSyncException>(() => primary.OpenAsync(Cancel))).Code.ShouldBe(ErrorCodes.PrimaryUnreachable);
        (await received).ShouldBe(0, "nothing more is said");
    }
}
