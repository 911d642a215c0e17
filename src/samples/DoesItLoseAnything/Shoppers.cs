using Npgsql;

namespace DoesItLoseAnything;

/// <summary>Customers who never stop: orders, payments, returns, price changes, key changes, now and then a TRUNCATE or a rollback.</summary>
internal sealed class Shoppers(string connectionString, int seed) : IAsyncDisposable
{
    private const int Count = 3;
    private readonly CancellationTokenSource _stop = new();
    private Task[] _tasks = [];
    private long _transactions;

    public long Transactions => Interlocked.Read(ref _transactions);

    public void Start() => _tasks = [.. Enumerable.Range(0, Count).Select(i => Task.Run(() => ShopAsync(new Random(seed + i))))];

    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_tasks);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _stop.Dispose();
    }

    private async Task ShopAsync(Random random)
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await using var connection = new NpgsqlConnection(connectionString);
                await connection.OpenAsync();
                while (!_stop.IsCancellationRequested) await BuyAsync(connection, random);
            }
            catch (NpgsqlException)
            {
                // The server is being restarted, or two shoppers met: a real application tries again, too.
                await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, CancellationToken.None);
            }
        }
    }

    private async Task BuyAsync(NpgsqlConnection connection, Random random)
    {
        await using var transaction = await connection.BeginTransactionAsync();
        await using var command = new NpgsqlCommand(Scene(random), connection, transaction);
        await command.ExecuteNonQueryAsync();
        if (random.Next(20) == 0) await transaction.RollbackAsync();
        else await transaction.CommitAsync();
        Interlocked.Increment(ref _transactions);
    }

    private static string Scene(Random random)
    {
        var customer = random.Next(1, 20001);
        var order = random.Next(1, 60001);
        return random.Next(12) switch
        {
            0 or 1 or 2 =>
                $"""
                 WITH o AS (INSERT INTO orders (customer_id, status, total, client) VALUES ({customer}, 'placed', 0, '192.168.0.{customer % 250}') RETURNING id),
                 l AS (INSERT INTO order_lines SELECT o.id, n, (SELECT id FROM products OFFSET {customer % 2000} LIMIT 1), n, {customer % 100}.50 FROM o, generate_series(1, {1 + customer % 4}) n RETURNING order_id)
                 INSERT INTO visits (page, customer_id) SELECT '/thanks', {customer} FROM l
                 """,
            3 or 4 => $"UPDATE orders SET status = 'paid', total = total + 1.25 WHERE id = {order}",
            5 => $"DELETE FROM orders WHERE id = {order}",
            6 => $"UPDATE customers SET credit = credit - 0.01, tags = tags || 'seen', vip = NOT vip WHERE id = {customer}",
            7 => $"UPDATE products SET price = price * 1.01, description = CASE WHEN random() < 0.2 THEN repeat(md5(random()::text), 200) ELSE description END WHERE sku = 'P{customer % 2000:D6}'",
            8 => $"UPDATE order_lines SET line_no = line_no + 100 WHERE order_id = {order} AND line_no < 100",
            9 => $"SAVEPOINT a; DELETE FROM visits; ROLLBACK TO a; INSERT INTO visits (page) VALUES ('/p/{order % 20}')",
            10 => $"DELETE FROM visits WHERE ctid = (SELECT ctid FROM visits WHERE page = '/p/{order % 20}' LIMIT 1)",
            _ => order % 200 == 0 ? "TRUNCATE visits" : $"UPDATE customers SET address = jsonb_set(coalesce(address, '{{}}'), '{{zip}}', '\"{order}\"') WHERE id = {customer}",
        };
    }
}
