using Microsoft.EntityFrameworkCore;

namespace Storefront.Store;

/// <summary>Writes in the background, as other parts of an application do: somebody buys, somebody fills the shelves.</summary>
internal sealed partial class Shoppers(IServiceScopeFactory scopes, TimeProvider time, ILogger<Shoppers> logger) : BackgroundService
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);
    private readonly ILogger _logger = logger;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var random = new Random(1);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await using var scope = scopes.CreateAsyncScope();
                await BuyAsync(scope.ServiceProvider.GetRequiredService<StoreContext>(), random, stoppingToken);
            }
            catch (Exception exception) when (exception is DbUpdateException or InvalidOperationException or Npgsql.NpgsqlException)
            {
                LogFailed(exception.GetType().Name); // the primary is away: the next one will do
            }
            await Task.Delay(Pause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task BuyAsync(StoreContext db, Random random, CancellationToken cancellationToken)
    {
        var id = random.Next(1, 201);
        var product = await db.Products.SingleAsync(p => p.Id == id, cancellationToken); // tracked, so the primary's
        product.Stock = product.Stock > 0 ? product.Stock - 1 : 100;
        db.Orders.Add(new Order { ProductId = product.Id, Customer = $"customer{random.Next(1, 30)}", Quantity = 1, PlacedAt = time.GetUtcNow().UtcDateTime });
        await db.SaveChangesAsync(cancellationToken);
    }

    [LoggerMessage(1, LogLevel.Warning, "A purchase failed ({Type})")]
    private partial void LogFailed(string type);
}
