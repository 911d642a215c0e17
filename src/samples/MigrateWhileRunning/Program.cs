using System.Diagnostics;
using System.Text.Json;
using DbSync.EntityFrameworkCore;
using DbSync.Testing;
using MigrateWhileRunning;
using MigrateWhileRunning.People;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Npgsql;

const int Everybody = 3000, Money = 100;
await using var server = await PostgresServer.StartAsync();
var primary = await server.CreateDatabaseAsync("people");
using var directory = new TemporaryDirectory();
var replica = directory["replica"];
var tool = new Dictionary<string, string?>(StringComparer.Ordinal) { ["DBSYNC_PRIMARY"] = primary, ["DBSYNC_DATA"] = replica };
IReadOnlyList<Release> releases =
[
    Release.Of("Initial", () => Open<FirstPerson>(), db => db.People.Select(p => new Row(p.Balance, p.Email))),
    Release.Of("AddRegion", () => Open<PersonOfRegion>(), db => db.People.Select(p => new Row(p.Balance, p.Region))),
    Release.Of("RenameEmailToLogin", () => Open<PersonWithLogin>(), db => db.People.Select(p => new Row(p.Balance, p.Login))),
    Release.Of("SplitAddress", () => new PeopleContext(Options<PeopleContext>()), db => db.People.Select(p => new Row(p.Balance, p.Address!.City))),
];

Console.WriteLine("Three migrations of a table that is read and written without a pause, and its replica.");
await MigrateAsync(releases[0].Migration);
await ExecuteAsync($"INSERT INTO people SELECT g, g || '@example.com', 'Person ' || g, {Money}, 'Street ' || g, 'City ' || g % 50 FROM generate_series(1, {Everybody}) AS g");
await TypeAsync("init");
await using var node = DbSyncTool.Start(["run"], tool);
await node.WaitForLineAsync(l => l == "streaming", TimeSpan.FromSeconds(60));

var (deployed, byReplica, byPrimary, tooOld, wrong) = (0, 0, 0, 0, 0);
using var closing = new CancellationTokenSource();
var readers = Enumerable.Range(0, 2).Select(_ => Task.Run(ReadAsync)).ToList();
var senders = Task.Run(SendAsync);
for (var next = 1; next < releases.Count; next++)
{
    var (migration, clock) = (releases[next].Migration, Stopwatch.StartNew());
    await MigrateAsync(migration);
    var migrated = clock.Elapsed;
    Volatile.Write(ref deployed, next);
    await Eventually.Async(async _ => (await releases[next].LookAsync()).Route.IsReplica, TimeSpan.FromSeconds(60));
    Console.WriteLine($"{migration,-20} {migrated.TotalMilliseconds,6:N0} ms on the primary; the replica answers the new release {(clock.Elapsed - migrated).TotalMilliseconds:N0} ms later");
    var enough = byReplica + 20; // and goes on doing so
    await Eventually.Async(() => Volatile.Read(ref byReplica) >= enough, TimeSpan.FromSeconds(60));
}
await closing.CancelAsync();
await Task.WhenAll([.. readers, senders]);

var proof = JsonDocument.Parse(await TypeAsync("verify", "--json")).RootElement;
var tables = proof.GetProperty("tables").EnumerateArray().Select(t => $"{t.GetProperty("name")} {t.GetProperty("rowsReplica")}");
Console.WriteLine($"{byReplica} reads of everybody by the replica, {byPrimary} by the primary, {tooOld} refused by PostgreSQL because their release was too old, {wrong} wrong.");
Console.WriteLine($"Equal, row by row, at position {proof.GetProperty("lsn")}: {string.Join(", ", tables)}.");
return wrong == 0 ? 0 : 1;

DbContextOptions<TContext> Options<TContext>()
    where TContext : DbContext =>
    new DbContextOptionsBuilder<TContext>().UseNpgsql(primary).UseDbSync(replica).Options;

EarlierContext<TPerson> Open<TPerson>()
    where TPerson : class =>
    new(Options<EarlierContext<TPerson>>());

async Task MigrateAsync(string migration)
{
    await using var db = new PeopleContext(Options<PeopleContext>());
    await db.GetService<IMigrator>().MigrateAsync(migration);
}

// A release that the database has outgrown is refused by PostgreSQL until the next one is deployed; a read that gets an answer sees one position.
async Task ReadAsync()
{
    while (!closing.IsCancellationRequested)
    {
        try
        {
            var sight = await releases[Volatile.Read(ref deployed)].LookAsync();
            Interlocked.Increment(ref sight.Route.IsReplica ? ref byReplica : ref byPrimary);
            if (sight is { People: Everybody, Money: Everybody * Money, Broken: 0 }) continue;
            Interlocked.Increment(ref wrong);
            Console.WriteLine($"WRONG: {sight}");
        }
        catch (PostgresException exception) when (exception.SqlState is PostgresErrorCodes.UndefinedColumn or PostgresErrorCodes.UndefinedTable)
        {
            Interlocked.Increment(ref tooOld);
            await Task.Yield();
        }
    }
}

async Task SendAsync()
{
    while (!closing.IsCancellationRequested)
    {
        var (from, to) = (Random.Shared.Next(1, Everybody), Random.Shared.Next(1, Everybody));
        if (from != to) await ExecuteAsync($"""UPDATE people SET "Balance" = "Balance" + CASE "Id" WHEN {from} THEN -1 ELSE 1 END WHERE "Id" IN ({from}, {to})""");
    }
}

async Task ExecuteAsync(string sql)
{
    await using var connection = new NpgsqlConnection(primary);
    await connection.OpenAsync();
    await using var command = new NpgsqlCommand(sql, connection);
    await command.ExecuteNonQueryAsync();
}

async Task<string> TypeAsync(params string[] arguments)
{
    var result = await DbSyncTool.RunAsync(arguments, tool);
    return result.ExitCode == 0 ? result.StandardOutput : throw new InvalidOperationException($"dbsync {arguments[0]} ended with {result.ExitCode}: {result.StandardOutput} {result.StandardError}");
}
