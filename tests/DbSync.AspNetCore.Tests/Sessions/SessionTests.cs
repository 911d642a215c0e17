using System.Globalization;
using System.Net;
using DbSync.EntityFrameworkCore.Consistency;
using DbSync.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection;

namespace DbSync.AspNetCore.Tests.Sessions;

/// <summary>Two application servers with a replica each: what a user wrote through one, that user reads through the other.</summary>
[Trait("Needs", "Server")]
public sealed class SessionTests(PostgresFixture postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_user_reads_own_writes_on_another_server_whose_replica_stands_still()
    {
        await using var pair = await PairAsync();
        await pair.Behind.StopAsync(); // this server's replica sees nothing from now on
        using var user = new User();
        using var stranger = new User();

        for (var count = 1; count <= 5; count++)
        {
            await user.WriteAsync(pair.Near, 1, count);
            (await user.ReadAsync(pair.Far, 1)).Count.ShouldBe(count);
            (await stranger.ReadAsync(pair.Far, 1)).Count.ShouldBe(0); // so the session is what makes the difference
        }
        (await user.ReadAsync(pair.Near, 1)).Count.ShouldBe(5);
    }

    [Fact]
    public async Task A_user_never_goes_back_behind_what_a_fresher_server_showed()
    {
        await using var pair = await PairAsync();
        await pair.Behind.StopAsync();
        using var somebody = new User();
        await somebody.WriteAsync(pair.Near, 2, 9);
        await pair.Fresh.CatchUpAsync();
        using var user = new User();
        (await user.ReadAsync(pair.Near, 2)).ShouldBe((9, true));
        (await user.ReadAsync(pair.Far, 2)).ShouldBe((9, false));
    }

    [Fact]
    public async Task A_replica_that_has_caught_up_answers_the_user_again()
    {
        await using var pair = await PairAsync();
        using var user = new User();
        await user.WriteAsync(pair.Near, 3, 4);
        await pair.Behind.CatchUpAsync();
        (await user.ReadAsync(pair.Far, 3)).ShouldBe((4, true));
    }

    [Fact]
    public async Task The_header_carries_a_session_as_the_cookie_does()
    {
        await using var pair = await PairAsync();
        await pair.Behind.StopAsync();
        using var user = new User(cookies: false);
        await user.WriteAsync(pair.Near, 4, 7);
        user.Header.ShouldNotBeNull();
        (await user.ReadAsync(pair.Far, 4)).Count.ShouldBe(7);
    }

    [Fact]
    public async Task Forged_changed_and_foreign_tokens_are_ignored()
    {
        await using var pair = await PairAsync();
        await using var foreign = await ServerUnderTest.StartAsync(pair.Fresh, pair.Keys, name: "another application");
        using var user = new User(cookies: false);
        await user.WriteAsync(foreign, 5, 1);
        var theirs = user.Header!;
        await pair.Fresh.CatchUpAsync();
        await pair.Behind.CatchUpAsync();
        string[] forged = [theirs, "x", new string('A', 4000), new SyncToken(1, 1, new Lsn(ulong.MaxValue), Asks: true).ToString(), "%00\u00e9"];
        foreach (var token in forged)
        {
            user.Header = Uri.EscapeDataString(token);
            (await user.ReadAsync(pair.Near, 5)).ShouldBe((1, true));
        }
    }

    [Fact]
    public async Task Histories_of_many_users_over_both_servers_show_no_violation()
    {
        await using var pair = await PairAsync();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var trouble = TroubleAsync(pair.Behind, stop.Token);
        await Task.WhenAll(Enumerable.Range(1, 6).Select(id => Task.Run(() => LiveAsync(pair, 10 + id), Cancel)));
        await stop.CancelAsync();
        await trouble;
    }

    private static async Task LiveAsync(Pair pair, int id)
    {
        using var user = new User();
        for (var round = 1; round <= 40; round++)
        {
            await user.WriteAsync(round % 3 == 0 ? pair.Far : pair.Near, id, round);
            (await user.ReadAsync(round % 2 == 0 ? pair.Near : pair.Far, id)).Count.ShouldBe(round);
        }
    }

    private static async Task TroubleAsync(NodeUnderTest node, CancellationToken until)
    {
        while (!until.IsCancellationRequested)
        {
            await node.StopAsync();
            node.Run();
            await node.CatchUpAsync();
        }
    }

    private async Task<Pair> PairAsync()
    {
        var database = await postgres.CreateDatabaseAsync(Cancel);
        var fresh = await NodeUnderTest.CreateAsync(database, StockContext.Schema, "stock", Cancel);
        var behind = await NodeUnderTest.JoinAsync(database, Cancel);
        foreach (var node in new[] { fresh, behind })
        {
            node.Run();
            await node.CatchUpAsync();
        }
        var keys = new TemporaryDirectory();
        return new Pair(keys, fresh, behind, await ServerUnderTest.StartAsync(fresh, keys.Path), await ServerUnderTest.StartAsync(behind, keys.Path));
    }

    private sealed record Pair(TemporaryDirectory KeyDirectory, NodeUnderTest Fresh, NodeUnderTest Behind, ServerUnderTest Near, ServerUnderTest Far) : IAsyncDisposable
    {
        public string Keys => KeyDirectory.Path;

        public async ValueTask DisposeAsync()
        {
            await Near.DisposeAsync();
            await Far.DisposeAsync();
            await Behind.DisposeAsync();
            await Fresh.DisposeAsync();
            KeyDirectory.Dispose();
        }
    }

    /// <summary>A browser: it keeps what it is given, for both servers alike.</summary>
    private sealed class User(bool cookies = true) : IDisposable
    {
        private readonly HttpClient _http = new(new HttpClientHandler { UseCookies = false });
        private string? _cookie;

        public string? Header { get; set; }

        public Task WriteAsync(ServerUnderTest server, int id, int count) => SendAsync(HttpMethod.Post, server, $"/stock?id={id}&count={count}");

        public async Task<(int Count, bool FromReplica)> ReadAsync(ServerUnderTest server, int id)
        {
            var answer = (await SendAsync(HttpMethod.Get, server, $"/stock?id={id}")).Split(' ');
            return (int.Parse(answer[0], CultureInfo.InvariantCulture), bool.Parse(answer[1]));
        }

        public void Dispose() => _http.Dispose();

        private async Task<string> SendAsync(HttpMethod method, ServerUnderTest server, string path)
        {
            using var request = new HttpRequestMessage(method, new Uri(server.Address, path));
            if (cookies && _cookie is not null) request.Headers.Add("Cookie", _cookie);
            if (!cookies && Header is not null) request.Headers.TryAddWithoutValidation(ServerUnderTest.Header, Header);
            using var response = await _http.SendAsync(request, Cancel);
            response.StatusCode.ShouldBe(HttpStatusCode.OK);
            if (response.Headers.TryGetValues("Set-Cookie", out var set)) _cookie = set.Single().Split(';')[0];
            if (response.Headers.TryGetValues(ServerUnderTest.Header, out var header)) Header = header.Single();
            return await response.Content.ReadAsStringAsync(Cancel);
        }
    }
}
