using Microsoft.EntityFrameworkCore;
using Storefront.Store;

namespace Storefront;

/// <summary>The shop's pages. Reads say <c>AsNoTracking</c> or give no entities out, so that the replica answers them.</summary>
internal static class Endpoints
{
    public static void MapStore(this IEndpointRouteBuilder app)
    {
        app.MapGet("/products", (StoreContext db, string? category, int page = 0) => db.Products.AsNoTracking()
            .Where(p => category == null || p.Category == category).OrderBy(p => p.Id).Skip(page * 20).Take(20).ToListAsync());
        app.MapGet("/products/{id:int}", async (StoreContext db, int id) =>
            await db.Products.AsNoTracking().SingleOrDefaultAsync(p => p.Id == id) is { } product ? Results.Ok(product) : Results.NotFound());
        app.MapGet("/categories", (StoreContext db) => db.Products
            .GroupBy(p => p.Category).Select(g => new { Category = g.Key, Products = g.Count(), Stock = g.Sum(p => p.Stock) }).OrderBy(c => c.Category).ToListAsync());
        app.MapGet("/customers/{name}/orders", (StoreContext db, string name) => db.Orders
            .Where(o => o.Customer == name).OrderByDescending(o => o.Id).Take(50).Select(o => new { o.Id, Product = o.Product!.Name, o.Quantity, o.PlacedAt }).ToListAsync());
        app.MapPost("/orders", async (StoreContext db, TimeProvider time, int product, string customer, int quantity) =>
        {
            var order = new Order { ProductId = product, Customer = customer, Quantity = quantity, PlacedAt = time.GetUtcNow().UtcDateTime };
            db.Orders.Add(order);
            await db.SaveChangesAsync();
            return new { order.Id };
        });
    }
}
