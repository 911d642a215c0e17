using System.Diagnostics.Metrics;
using DbSync.EntityFrameworkCore.Tests.Shop;
using Microsoft.EntityFrameworkCore;

namespace DbSync.EntityFrameworkCore.Tests.Parity;

/// <summary>Whether a query can be routed is found out once for its shape.</summary>
[Trait("Needs", "Server")]
public sealed class DecisionTests(ShopFixture shop)
{
    [Fact]
    public async Task A_shape_is_judged_once_whatever_its_parameters_and_however_many_contexts_ask()
    {
        var node = await shop.GetAsync();
        var mine = new AsyncLocal<bool> { Value = true }; // other tests judge their shapes meanwhile
        var decisions = 0;
        using var listener = new MeterListener { InstrumentPublished = (i, l) => Enable(i, l) };
        listener.SetMeasurementEventCallback<long>((_, _, _, _) => Interlocked.Add(ref decisions, mine.Value ? 1 : 0));
        listener.Start();

        for (var i = 0; i < 20; i++)
        {
            var (id, name, part) = (i, $"name {i}", 1.5m + i);
            await using var db = ShopFixture.Routed(node, o => o.WaitUpTo(TimeSpan.FromSeconds(30)));
            _ = db.Customers.Where(c => c.Id > id && c.Name != name && c.Small < id).OrderBy(c => c.Id).Take(id + 1).Select(c => c.Nick + name).ToList();
            _ = db.Customers.Where(c => c.Credit / part > id && c.Name != name).Select(c => c.Id).ToList(); // the primary's, and that is decided once too
            _ = await db.Customers.Where(c => c.Id > id && c.Nick != name).CountAsync(c => c.Big < id, TestContext.Current.CancellationToken);
        }

        decisions.ShouldBe(3);
    }

    private static void Enable(Instrument instrument, MeterListener listener)
    {
        if (instrument is { Meter.Name: "DbSync", Name: "dbsync.ef.decisions" }) listener.EnableMeasurementEvents(instrument);
    }
}
