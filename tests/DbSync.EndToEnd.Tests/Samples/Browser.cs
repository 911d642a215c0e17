using System.Globalization;
using System.Text.Json;

namespace DbSync.EndToEnd.Tests.Samples;

/// <summary>A user's browser: it keeps the cookies of all servers alike, and sends what else it is given.</summary>
internal sealed class Browser(params (string Name, string Value)[] headers) : IDisposable
{
    private readonly HttpClient _http = new(new HttpClientHandler { UseCookies = false });
    private string? _cookie;

    /// <summary>How old the replica was that answered last, in ms, as the server says; null when it says nothing.</summary>
    public double? ReplicaAgeMs { get; private set; }

    /// <summary>Asks, and gives the answer with who gave it.</summary>
    public async Task<(JsonElement Answer, string Route)> AskAsync(SampleApp app, string path, HttpMethod? method = null)
    {
        using var request = new HttpRequestMessage(method ?? HttpMethod.Get, new Uri(app.Address, path));
        foreach (var (name, value) in headers) request.Headers.Add(name, value);
        if (_cookie is not null) request.Headers.Add("Cookie", _cookie);
        using var response = await _http.SendAsync(request, TestContext.Current.CancellationToken);
        response.EnsureSuccessStatusCode();
        if (response.Headers.TryGetValues("Set-Cookie", out var set)) _cookie = set.Single().Split(';')[0];
        var text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        ReplicaAgeMs = response.Headers.TryGetValues("X-Replica-Age-Ms", out var ages) ? double.Parse(ages.Single(), CultureInfo.InvariantCulture) : null;
        var route = response.Headers.TryGetValues("X-Route", out var routes) ? routes.Single() : "";
        return (text.Length > 0 && text[0] is '{' or '[' ? JsonDocument.Parse(text).RootElement : default, route);
    }

    public Task PostAsync(SampleApp app, string path) => AskAsync(app, path, HttpMethod.Post);

    public void Dispose() => _http.Dispose();
}
