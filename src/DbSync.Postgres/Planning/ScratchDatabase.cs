using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using Npgsql;

namespace DbSync.Postgres.Planning;

/// <summary>An empty copy of a database's schema, on the same server or another, dropped when disposed. <c>pg_dump</c> and <c>psql</c> make it.</summary>
internal sealed class ScratchDatabase : IAsyncDisposable
{
    private const string NamePrefix = "dbsync_plan_";
    private const string PackagesDirectory = "/usr/lib/postgresql";
    private readonly string _server;
    private readonly string _name;

    private ScratchDatabase(string server, string name)
    {
        (_server, _name) = (server, name);
        ConnectionString = new NpgsqlConnectionStringBuilder(server) { Database = name, Pooling = false }.ConnectionString;
    }

    public string ConnectionString { get; }

    /// <summary>Whether PostgreSQL's client programs are installed.</summary>
    public static bool IsPossible => Find("pg_dump") is not null && Find("psql") is not null;

    /// <param name="source">The database whose schema is copied.</param>
    /// <param name="server">Where to; any database there.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="DbSyncException">DBS2015 when there is no pg_dump or psql, or the schema can't be dumped; DBS2006 when the role may not create a database.</exception>
    public static async Task<ScratchDatabase> CreateAsync(string source, string server, CancellationToken cancellationToken)
    {
        var schema = await ToolAsync("pg_dump", source, ["--schema-only", "--no-owner", "--no-privileges", "--no-publications", "--no-subscriptions", "--exclude-schema=dbsync", "--lock-wait-timeout=10s"], null, cancellationToken);
        var history = await HistoryAsync(source, cancellationToken);
        var scratch = new ScratchDatabase(server, NamePrefix + Guid.NewGuid().ToString("n"));
        await using var primary = new Primary(server);
        await primary.ExecuteAsync($"CREATE DATABASE {scratch._name} TEMPLATE template0", cancellationToken);
        try
        {
            // What only a superuser may make, as a language or an extension's comment, is left out; a table that needed it is missed where it is looked for.
            await ToolAsync("psql", scratch.ConnectionString, ["--no-psqlrc", "--quiet"], schema + history, cancellationToken);
            return scratch;
        }
        catch
        {
            await scratch.DisposeAsync();
            throw;
        }
    }

    /// <summary>Runs a script as psql does: every statement by itself, the first error ends it. psql's own commands, which could lead elsewhere, are refused.</summary>
    /// <exception cref="DbSyncException">DBS2015 with the error.</exception>
    public Task RunAsync(string sql, CancellationToken cancellationToken) => ToolAsync(
        "psql", ConnectionString, ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"], $"\\restrict {Guid.NewGuid():n}\n{sql}", cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await using var primary = new Primary(_server);
        await primary.ExecuteAsync($"DROP DATABASE IF EXISTS {_name} WITH (FORCE)", CancellationToken.None);
    }

    /// <summary>Which EF Core migrations have run, so that an idempotent script leaves them out.</summary>
    private static async Task<string> HistoryAsync(string source, CancellationToken cancellationToken)
    {
        await using var primary = new Primary(source);
        var exists = await primary.ScalarAsync<bool>("SELECT EXISTS (SELECT FROM pg_catalog.pg_class WHERE relname = '__EFMigrationsHistory' AND relkind = 'r')", cancellationToken);
        return exists ? await ToolAsync("pg_dump", source, ["--data-only", "--table=*.\"__EFMigrationsHistory\"", "--lock-wait-timeout=10s"], null, cancellationToken) : "";
    }

    private static async Task<string> ToolAsync(string tool, string connectionString, IEnumerable<string> arguments, string? input, CancellationToken cancellationToken)
    {
        var to = new NpgsqlConnectionStringBuilder(connectionString);
        var start = new ProcessStartInfo(Find(tool) ?? tool, arguments) { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in Settings(to))
            if (value is not null) start.Environment[name] = value; // not among the arguments, where others see them
        using var process = Start(start);
        using var stopping = cancellationToken.Register(() => process.Kill(entireProcessTree: true));
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(CancellationToken.None), process.StandardError.ReadToEndAsync(CancellationToken.None));
        try
        {
            if (input is not null) await process.StandardInput.WriteAsync(input.AsMemory(), CancellationToken.None);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It has ended at an error, which it tells.
        }
        await process.WaitForExitAsync(CancellationToken.None);
        cancellationToken.ThrowIfCancellationRequested();
        if (process.ExitCode == 0) return await output;
        throw new DbSyncException(
            ErrorCodes.MigrationNotPlanned, $"{tool} failed: {string.Join(' ', (await errors).Split('\n', StringSplitOptions.RemoveEmptyEntries).Take(5))}",
            tool == "psql" ? "The migration would fail on the primary too, unless it needs rows that are there: the copy of the schema is empty." : null);
    }

    /// <summary>A client program: the newest that Debian's packages have installed, since older ones refuse newer servers; else on the PATH.</summary>
    private static string? Find(string tool)
    {
        var packaged = Directory.Exists(PackagesDirectory) ? Directory.GetDirectories(PackagesDirectory) : [];
        var installed = packaged.OrderByDescending(d => double.TryParse(Path.GetFileName(d), CultureInfo.InvariantCulture, out var version) ? version : 0).Select(d => Path.Combine(d, "bin"));
        var path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        var names = OperatingSystem.IsWindows() ? new[] { $"{tool}.exe" } : [tool];
        return installed.Concat(path).SelectMany(d => names.Select(n => Path.Combine(d, n))).FirstOrDefault(File.Exists);
    }

    private static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception exception)
        {
            throw new DbSyncException(
                ErrorCodes.MigrationNotPlanned, $"{start.FileName} is not here: {exception.Message}", "Install PostgreSQL's client programs (postgresql-client), no older than the primary.", exception);
        }
    }

    private static IEnumerable<(string Name, string? Value)> Settings(NpgsqlConnectionStringBuilder to) =>
    [
        ("PGHOST", to.Host), ("PGPORT", to.Port.ToString(CultureInfo.InvariantCulture)), ("PGUSER", to.Username), ("PGPASSWORD", to.Password), ("PGDATABASE", to.Database ?? to.Username),
        ("PGSSLMODE", to.SslMode switch { SslMode.VerifyCA => "verify-ca", SslMode.VerifyFull => "verify-full", var mode => mode.ToString().ToLowerInvariant() }),
        ("PGSSLROOTCERT", to.RootCertificate), ("PGSSLCERT", to.SslCertificate), ("PGSSLKEY", to.SslKey), ("PGPASSFILE", to.Passfile), ("PGOPTIONS", to.Options), ("PGCLIENTENCODING", "UTF8"),
    ];
}
