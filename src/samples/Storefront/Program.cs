using DbSync.Testing;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.EntityFrameworkCore;
using Storefront;
using Storefront.Store;

var builder = WebApplication.CreateBuilder(args);

// A PostgreSQL of its own, thrown away at the end, unless ConnectionStrings:Primary names one.
var primary = builder.Configuration.GetConnectionString("Primary");
await using var server = primary is null ? await PostgresServer.StartAsync(new PostgresServerOptions { MaxSlotWalKeepSizeMb = 1024 }) : null;
using var scratch = new TemporaryDirectory();
primary ??= await server!.CreateDatabaseAsync("storefront");
builder.Configuration["DbSync:Primary"] ??= primary;
builder.Configuration["DbSync:DataDirectory"] ??= scratch["replica"];

builder.Services.AddSingleton(TimeProvider.System);
builder.Services.AddDbSync(b => b.AllowSetup());                                                                       // the engine
builder.Services.AddDbContextPool<StoreContext>((services, o) => o.UseNpgsql(primary).UseDbSync(services));            // the reads
builder.Services.AddDbSyncSession();                                                                                   // a user's own writes
builder.Services.AddHealthChecks().AddDbSync();
builder.Services.AddHostedService<Shoppers>();
if (builder.Configuration["Keys"] is { } keys) builder.Services.AddDataProtection().SetApplicationName("storefront").PersistKeysToFileSystem(new DirectoryInfo(keys));

var app = builder.Build();
await using (var scope = app.Services.CreateAsyncScope()) await scope.ServiceProvider.GetRequiredService<StoreContext>().PrepareAsync();
app.UseDbSyncSession();
app.UseRouteHeaders();
app.MapStore();
app.MapHealthChecks("/health");
await app.RunAsync();
