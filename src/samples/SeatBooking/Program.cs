using System.Globalization;
using DbSync.Testing;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using SeatBooking;

// SeatBooking [--seconds N] [--without-locks] | SeatBooking office NAME PRIMARY REDIS LOCKS
const int Offices = 5;
using var stop = new CancellationTokenSource();
if (args is ["office", var name, var primary, var redis, var locks])
{
    await BoxOffice.RunAsync(name, primary, redis, locks == "locks", Console.WriteLine, stop.Token);
    return 0;
}

var seconds = Array.IndexOf(args, "--seconds") is >= 0 and var at && at + 1 < args.Length ? double.Parse(args[at + 1], CultureInfo.InvariantCulture) : 10;
var takesLocks = !args.Contains("--without-locks");
var patience = TimeSpan.FromMinutes(1);
Console.WriteLine($"{Offices} box offices sell adjacent seats of one hall, {(takesLocks ? "each under a range lock" : "without locks")}, and get killed in the middle.");

await using var postgres = await PostgresServer.StartAsync();
await using var lockServer = await RedisServer.StartAsync();
var database = await postgres.CreateDatabaseAsync("hall");
await InstalledSchema.CreateAsync(database, stop.Token);
await using var hall = new Hall(new DbContextOptionsBuilder<Hall>().UseNpgsql(database).Options);
await hall.Database.ExecuteSqlRawAsync(hall.Database.GenerateCreateScript(), stop.Token);

await using var entrance = new NpgsqlConnection(database);
await entrance.OpenAsync(stop.Token);
var doorman = await entrance.BeginTransactionAsync(stop.Token);
await Hall.CloseDoorsAsync(doorman, stop.Token);
var offices = Enumerable.Range(1, Offices).Select(Open).ToArray();
foreach (var office in offices) await office.WaitForLineAsync(line => line == BoxOffice.Ready, patience);
await doorman.DisposeAsync(); // all at once: the first office alone would sell out the hall
var started = TimeProvider.System.GetTimestamp();
var kills = 0;
while (TimeProvider.System.GetElapsedTime(started).TotalSeconds < seconds)
{
    var victim = Random.Shared.Next(Offices);
    await offices[victim].WaitForLineAsync(_ => true, patience, fromLine: offices[victim].Lines.Count);
    offices[victim].Kill();
    await offices[victim].DisposeAsync();
    offices[victim] = Open(++kills + Offices);
    await offices[victim].WaitForLineAsync(line => line != BoxOffice.Ready, patience);
}

foreach (var office in offices) await office.DisposeAsync();

var sold = await hall.Bookings.CountAsync(stop.Token);
var taken = await hall.Bookings.SumAsync(booking => booking.Last - booking.First + 1, stop.Token);
var twice = await hall.Bookings.CountAsync(a => hall.Bookings.Any(b => b.Id < a.Id && b.Row == a.Row && b.First <= a.Last && a.First <= b.Last), stop.Token);
Console.WriteLine($"{sold} bookings of {taken} of {Hall.Rows * Hall.SeatsPerRow} seats, {kills} offices killed with kill -9, {twice} double bookings.");
return twice == 0 ? 0 : 1;

TestProcess Open(int number) => TestProcess.Start("dotnet",
    ["exec", typeof(Hall).Assembly.Location, "office", $"office-{number}", database, $"127.0.0.1:{lockServer.Port}", takesLocks ? "locks" : "none"]);
