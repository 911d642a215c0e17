using DbSync.Testing;

namespace DbSync.EndToEnd.Tests.Samples;

/// <summary>A sample in a process of its own, on a port of its own.</summary>
internal sealed class SampleApp : IAsyncDisposable
{
    private const string Listening = "Now listening on: ";

    private SampleApp(TestProcess process, Uri address) => (Process, Address) = (process, address);

    public TestProcess Process { get; }

    public Uri Address { get; }

    public static async Task<SampleApp> StartAsync(string name, string primary, string data, string? keys = null, string? queries = null)
    {
        var process = TestProcess.Start(
            "dotnet", ["exec", Path.Combine(AppContext.BaseDirectory, $"{name}.dll")],
            new Dictionary<string, string?>
            {
                ["ASPNETCORE_URLS"] = "http://127.0.0.1:0", ["ConnectionStrings__Primary"] = primary, ["DbSync__DataDirectory"] = data, ["Keys"] = keys, [QueryRecord.EnvironmentVariable] = queries,
                ["DOTNET_ENVIRONMENT"] = null,
            });
        var line = await process.WaitForLineAsync(l => l.Contains(Listening, StringComparison.Ordinal), TimeSpan.FromSeconds(90), cancellationToken: TestContext.Current.CancellationToken);
        return new SampleApp(process, new Uri(line[(line.IndexOf(Listening, StringComparison.Ordinal) + Listening.Length)..]));
    }

    public ValueTask DisposeAsync() => Process.DisposeAsync();
}
