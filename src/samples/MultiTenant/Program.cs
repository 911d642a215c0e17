using DbSync.Testing;
using Microsoft.EntityFrameworkCore;
using MultiTenant;

var builder = WebApplication.CreateBuilder(args);

// A PostgreSQL of its own, thrown away at the end, unless ConnectionStrings:Primary names one.
var primary = builder.Configuration.GetConnectionString("Primary");
await using var server = primary is null ? await PostgresServer.StartAsync(new PostgresServerOptions { MaxSlotWalKeepSizeMb = 1024 }) : null;
using var scratch = new TemporaryDirectory();
primary ??= await server!.CreateDatabaseAsync("invoices");
builder.Configuration["DbSync:Primary"] ??= primary;
builder.Configuration["DbSync:DataDirectory"] ??= scratch["replica"];

builder.Services.AddHttpContextAccessor();
builder.Services.AddScoped<Tenant>();
builder.Services.AddDbSync(b => b.AllowSetup().UseShards("4", ("invoices", "TenantId")));
builder.Services.AddDbContext<InvoiceContext>((services, o) => o.UseNpgsql(primary).UseDbSync(services));
builder.Services.AddDbSyncSession();

var app = builder.Build();
await using (var scope = app.Services.CreateAsyncScope()) await scope.ServiceProvider.GetRequiredService<InvoiceContext>().Database.EnsureCreatedAsync();
app.UseDbSyncSession();

app.MapGet("/invoices", async (InvoiceContext db, HttpResponse response) =>
{
    var invoices = await db.Invoices.AsNoTracking().OrderBy(i => i.Number).ToListAsync();
    response.Headers["X-Route"] = $"{db.GetLastRoute()?.Reason} {db.GetLastRoute()?.Detail}";
    return invoices;
});
app.MapGet("/total", async (InvoiceContext db) => new { Invoices = await db.Invoices.CountAsync(), Amount = await db.Invoices.SumAsync(i => i.Amount) });
app.MapPost("/invoices", async (InvoiceContext db, Tenant tenant, int number, string customer, decimal amount) =>
{
    db.Invoices.Add(new Invoice { TenantId = tenant.Id, Number = number, Customer = customer, Amount = amount });
    await db.SaveChangesAsync();
    return Results.Created();
});
await app.RunAsync();
