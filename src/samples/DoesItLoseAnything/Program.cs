using System.Diagnostics;
using System.Text.Json;
using DbSync.Testing;
using DoesItLoseAnything;
using Npgsql;
using Spectre.Console;

string[] ordinals = ["first", "second", "third", "fourth", "fifth", "sixth"];
var kills = ordinals.Length;
var seed = args.Length > 0 && int.TryParse(args[0], out var given) ? given : Random.Shared.Next(1, 100_000);
var random = new Random(seed);
var clock = Stopwatch.StartNew();

AnsiConsole.MarkupLine("[bold]Does DbSync lose anything?[/]");
AnsiConsole.MarkupLine("A shop that never closes, a sync process that is killed again and again,");
AnsiConsole.MarkupLine("and a comparison of every row at the end.");
AnsiConsole.MarkupLine($"[grey]Seed {seed}: give it as an argument to see the same run again.[/]\n");

Say("Starting a throw-away PostgreSQL, with fsync on.");
await using var server = await PostgresServer.StartAsync(new PostgresServerOptions { Fsync = true, MaxSlotWalKeepSizeMb = 4096 });
var shop = await server.CreateDatabaseAsync("shop");
Say("Loading the shop: customers, products, orders, order lines, visits.");
var rows = await LoadAsync(shop);

using var directory = new TemporaryDirectory();
await using var tool = new Tool(shop, directory.Path);
var (initCode, _) = await tool.AskAsync("init");
if (initCode != 0) return Fail($"dbsync init ended with {initCode}");
Say("[bold]dbsync init[/]: control schema, publication and slot are there.");

await using var shoppers = new Shoppers(shop, seed);
shoppers.Start();
Say("The shop opens: three shoppers write from now on, without a pause.");

var crashes = 0;
long copied = 0;
long applied = 0;
var (copyTime, streamTime) = (TimeSpan.Zero, TimeSpan.Zero);
tool.Run();
Say("[bold]dbsync run[/]: initial copy first.");
for (var life = 0; life < kills; life++)
{
    var duringCopy = life < 2;
    var lived = Stopwatch.StartNew();
    await Eventually.Async(
        () => tool.Status() is { } s && (duringCopy && Copying(s) ? Number(s, "chunksRead") > life : !Copying(s) && Number(s, "transactions") > random.Next(1, 400)), // a fast machine may have copied everything before it is looked at
        TimeSpan.FromSeconds(60), () => $"{tool.Status()}");
    var status = tool.Status() ?? default;
    Account(status, lived.Elapsed);
    await tool.KillAsync();
    crashes++;
    Say($"[red]kill -9[/], the {ordinals[life]}, {(Copying(status) ? "in the middle of the copy" : "while streaming")}, {Number(status, "transactions"):N0} transactions on.");
    tool.Run();
    if (life == 3)
    {
        await server.RestartAsync(ShutdownMode.Immediate);
        crashes++;
        Say("[red]PostgreSQL restarted in immediate mode[/]: no goodbye to anybody.");
    }
}

Say("Now it may live. The shop stays open for five more seconds.");
var last = Stopwatch.StartNew();
await Eventually.Async(() => last.Elapsed > TimeSpan.FromSeconds(5) && tool.Status() is { } s && !Copying(s), TimeSpan.FromSeconds(60), () => $"{tool.Status()}");
await shoppers.StopAsync();
Say($"The shop closes after {shoppers.Transactions:N0} transactions. Now both sides are compared.");

var (verifyCode, verdict) = await tool.AskAsync("verify");
if (verifyCode is not (0 or 5)) return Fail($"dbsync verify ended with {verifyCode}: {verdict}");
var final = tool.Status() ?? default;
Account(final, last.Elapsed);
var stopCode = await tool.StopAsync();

var table = new Table().Border(TableBorder.Rounded).AddColumn("table").AddColumn(new TableColumn("rows on the primary").RightAligned())
    .AddColumn(new TableColumn("rows in the replica").RightAligned()).AddColumn(new TableColumn("differences").RightAligned());
foreach (var one in verdict.GetProperty("tables").EnumerateArray())
    table.AddRow(
        Markup.Escape(one.GetProperty("name").GetString()!), $"{one.GetProperty("rowsPrimary").GetInt64():N0}", $"{one.GetProperty("rowsReplica").GetInt64():N0}",
        $"{one.GetProperty("differences").GetInt64():N0}");
AnsiConsole.Write(table);

var equal = verifyCode == 0 && verdict.GetProperty("equal").GetBoolean();
var delay = final.GetProperty("delay").GetProperty("totalMs");
AnsiConsole.MarkupLine($"  rows copied                 [bold]{copied:N0}[/] of {rows:N0} loaded, {copied / Math.Max(0.001, copyTime.TotalSeconds):N0} rows/s");
AnsiConsole.MarkupLine($"  changes applied             [bold]{applied:N0}[/], {applied / Math.Max(0.001, streamTime.TotalSeconds):N0} changes/s, the shop's own pace");
AnsiConsole.MarkupLine($"  commit to visible           p50 [bold]{delay.GetProperty("p50").GetDouble():N2} ms[/], p99 [bold]{delay.GetProperty("p99").GetDouble():N2} ms[/]");
AnsiConsole.MarkupLine($"  crashes survived            [bold]{crashes}[/]");
AnsiConsole.MarkupLine($"  differences                 [bold]{verdict.GetProperty("differences").GetInt64()}[/] at position {verdict.GetProperty("lsn").GetString()}");
AnsiConsole.MarkupLine($"  time                        {clock.Elapsed.TotalSeconds:N0} s\n");
if (!equal) return Fail("The replica differs from the primary.");
if (stopCode != 0) return Fail($"dbsync run ended with {stopCode} after SIGTERM.");
AnsiConsole.MarkupLine("[green bold]Nothing was lost, nothing is there twice.[/]");
return 0;

void Say(string markup) => AnsiConsole.MarkupLine($"[grey]{clock.Elapsed.TotalSeconds,5:N1} s[/]  {markup}");

int Fail(string what)
{
    AnsiConsole.MarkupLine($"[red bold]{Markup.Escape(what)}[/]");
    return 1;
}

void Account(JsonElement status, TimeSpan time)
{
    if (status.ValueKind != JsonValueKind.Object) return;
    copied += Number(status, "rowsCopied");
    applied += Number(status, "rows");
    if (Number(status, "rowsCopied") > 0) copyTime += time;
    if (Number(status, "rows") > 0) streamTime += time;
}

static long Number(JsonElement status, string name) => status.ValueKind == JsonValueKind.Object ? status.GetProperty(name).GetInt64() : 0;

static bool Copying(JsonElement status) => status.ValueKind != JsonValueKind.Object || status.GetProperty("copying").GetBoolean();

static async Task<long> LoadAsync(string connectionString)
{
    using var reader = new StreamReader(typeof(Shoppers).Assembly.GetManifestResourceStream("shop.sql")!);
    await using var connection = new NpgsqlConnection(connectionString);
    await connection.OpenAsync();
    await using var load = new NpgsqlCommand(await reader.ReadToEndAsync(), connection) { CommandTimeout = 120 };
    await load.ExecuteNonQueryAsync();
    await using var count = new NpgsqlCommand(
        "SELECT (SELECT count(*) FROM customers) + (SELECT count(*) FROM products) + (SELECT count(*) FROM orders) + (SELECT count(*) FROM order_lines) + (SELECT count(*) FROM visits)",
        connection);
    return (long)(await count.ExecuteScalarAsync())!;
}
