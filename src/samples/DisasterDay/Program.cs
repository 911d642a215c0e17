using System.Diagnostics;
using DbSync;
using DbSync.Locking;
using DbSync.Postgres.Locking;
using DbSync.Redis;
using DbSync.Testing;
using DisasterDay;
using Microsoft.Data.Sqlite;
using Npgsql;
using Spectre.Console;

var clock = Stopwatch.StartNew();
var failed = false;
AnsiConsole.MarkupLine("[bold]What do I type when it is gone?[/]\n");
await using var server = await PostgresServer.StartAsync();
var redis = await RedisServer.StartAsync();
var shop = await server.CreateDatabaseAsync("shop");
await ExecuteAsync("CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer int, total numeric, note text); CREATE TABLE stock (product int PRIMARY KEY, pieces int); "
    + "INSERT INTO stock SELECT g, 100 FROM generate_series(1, 1000) g; INSERT INTO orders (customer, total, note) SELECT g % 500, g * 1.1, repeat('x', 100) FROM generate_series(1, 20000) g");
using var directory = new TemporaryDirectory();
var (data, backups) = (directory["replica"], directory["backups"]);
await using var node = new Node(shop, data, backups);
using var closing = new CancellationTokenSource();
var customers = ShopAsync(closing.Token);

Say("A quiet morning.");
await node.TypeAsync("init");
await node.RunAsync();
await node.TypeAsync("backup", backups, "--keep", "7");

Say("[red]The disk with the replica is lost.[/] The slot has gone on since the backup.");
await node.KillAsync();
Directory.Delete(data, recursive: true);
await node.TypeAsync("restore", backups);
await node.RunAsync();
await ProveAsync();

Say("[red]Somebody drops the slot.[/] Nothing to type: everything is copied again beside what is served, and swapped.");
await ExecuteAsync("SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots WHERE active");
await Eventually.Async(async _ => await TryAsync("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"), TimeSpan.FromSeconds(20));
await node.SaysAsync("The new copy has taken the old one's place");
await ProveAsync();

Say("[red]Somebody writes into the replica's file.[/]");
await using (var file = new SqliteConnection($"Data Source={Directory.GetFiles(data, "main.*.db").Order(StringComparer.Ordinal).Last()};Pooling=False"))
{
    await file.OpenAsync();
    await using var vandal = new SqliteCommand("UPDATE orders SET total = '0.01' WHERE id % 100 = 0; DELETE FROM orders WHERE id BETWEEN 5 AND 15", file);
    await vandal.ExecuteNonQueryAsync();
}
await node.TypeAsync("verify", "--repair");
await ProveAsync();

Say("[red]The primary loses its last second:[/] it comes back as it was a moment ago, and the replica knows what it has forgotten.");
var cluster = await ScalarAsync<string>("SHOW data_directory");
await server.StopAsync();
await ShellAsync($"cp -a '{cluster}' '{cluster}.before'");
await server.StartAgainAsync();
await ExecuteAsync("UPDATE stock SET pieces = pieces - 1; CREATE TABLE log_is_written AS SELECT repeat(md5(g::text), 30) FROM generate_series(1, 20000) g");
await ProveAsync();
await server.StopAsync(ShutdownMode.Immediate);
await ShellAsync($"rm -r '{cluster}' && mv '{cluster}.before' '{cluster}'");
await server.StartAgainAsync();
await node.SaysAsync("DBS3050");
await ProveAsync();

Say("[red]Redis is gone,[/] and with it every lock. Who held one can't write any more.");
await using (var database = NpgsqlDataSource.Create(shop))
{
    var fence = new PostgresFence(database);
    await using var first = await HoldAsync(database, redis);
    await fence.RegisterAsync(first, default);
    await redis.DisposeAsync();
    redis = await RedisServer.StartAsync(); // empty
    await using var second = await HoldAsync(database, redis);
    await fence.RegisterAsync(second, default);
    Say($"         the first lock had token {first.FencingToken}, the next one has {second.FencingToken}");
    try
    {
        await using var connection = await database.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await fence.GuardAsync(transaction, first, default);
        failed = true;
        Say("[red]The first holder could still write.[/]");
    }
    catch (DbSyncException refused)
    {
        Say($"         the first holder is refused: {refused.Code}");
    }
}
await redis.DisposeAsync();

await closing.CancelAsync();
await customers;
await ProveAsync();
AnsiConsole.MarkupLine(failed ? "[red bold]Something was lost.[/]" : $"[green bold]Nothing was lost, in {clock.Elapsed.TotalSeconds:N0} s.[/]");
return failed ? 1 : 0;

void Say(string markup) => AnsiConsole.MarkupLine($"[grey]{clock.Elapsed.TotalSeconds,5:N1} s[/]  {markup}");

async Task ProveAsync()
{
    var answer = await node.ProveAsync();
    var equal = answer.GetProperty("equal").GetBoolean();
    failed |= !equal;
    var rows = answer.GetProperty("tables").EnumerateArray().Sum(t => t.GetProperty("rowsReplica").GetInt64());
    Say(equal ? $"         [green]proved equal[/]: {rows:N0} rows at position {answer.GetProperty("lsn").GetString()}" : $"         [red]differs[/]: {answer.GetProperty("differences")}");
}

static async Task<RangeLock> HoldAsync(NpgsqlDataSource database, RedisServer redis)
{
    var connection = await RedisConnection.ConnectAsync(redis.ConnectionString, default);
    var locks = new RedisRangeLockManager(connection, new PostgresEpochStore(database), new RedisRangeLockOptions());
    return await locks.AcquireAsync("stock", KeyRange.Closed(1, 10), LockMode.Exclusive);
}

async Task ShopAsync(CancellationToken stop)
{
    var random = new Random(1);
    while (!stop.IsCancellationRequested)
    {
        var product = random.Next(1, 1000);
        await TryAsync($"INSERT INTO orders (customer, total, note) VALUES ({product % 500}, {product}.5, 'new'); UPDATE stock SET pieces = pieces - 1 WHERE product = {product}; "
            + $"UPDATE orders SET total = total + 1 WHERE id = 16 + {product} * 10");
        await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, CancellationToken.None);
    }
}

async Task<bool> TryAsync(string sql)
{
    try
    {
        await ExecuteAsync(sql);
        return true;
    }
    catch (NpgsqlException)
    {
        return false; // the server is away
    }
}

async Task ExecuteAsync(string sql)
{
    await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(shop) { Pooling = false }.ConnectionString);
    await connection.OpenAsync();
    await using var command = new NpgsqlCommand(sql, connection);
    await command.ExecuteNonQueryAsync();
}

async Task<T> ScalarAsync<T>(string sql)
{
    await using var source = NpgsqlDataSource.Create(shop);
    await using var command = source.CreateCommand(sql);
    return (T)(await command.ExecuteScalarAsync())!;
}

static async Task ShellAsync(string command)
{
    var result = await ProcessRunner.RunAsync("sh", ["-c", command]);
    if (result.ExitCode != 0) throw new InvalidOperationException(result.StandardError);
}
