using Microsoft.EntityFrameworkCore;

namespace DbSync.Benchmarks.Reads;

/// <summary>One of the reads that are measured.</summary>
/// <param name="Name">What it reads.</param>
/// <param name="Count">How often in a round.</param>
/// <param name="Read">Reads; the number varies what is asked for.</param>
internal sealed record KindOfRead(string Name, int Count, Action<ReadsContext, int> Read)
{
    public static KindOfRead Point { get; } = new("point read", 2000, static (db, i) => { var id = 1 + (i * 7919 % 100_000); _ = db.Parents.Single(p => p.Id == id); });

    public static KindOfRead Awaited { get; } = new(
        "point read, awaited", 2000, static (db, i) => { var id = 1 + (i * 7919 % 100_000); _ = db.Parents.SingleAsync(p => p.Id == id).GetAwaiter().GetResult(); });

    public static IReadOnlyList<KindOfRead> All { get; } =
    [
        Point,
        Awaited,
        new("filtered list of 50", 400, static (db, i) => { var group = i % 2000; _ = db.Parents.Where(p => p.Group == group).ToList(); }),
        new("Include of 10 parents with children", 300, static (db, i) => { var from = 1 + (i * 10 % 9000); _ = db.Parents.Include(p => p.Children).Where(p => p.Id >= from && p.Id < from + 10).ToList(); }),
        new("sum and maximum over 100,000 rows", 10, static (db, i) => _ = db.Parents.GroupBy(p => 1).Select(g => new { Sum = g.Sum(p => p.Value), Max = g.Max(p => p.Group) }).Single()),
    ];

    /// <summary>The point read as a compiled query; one belongs to one model.</summary>
    public static KindOfRead Compiled()
    {
        var query = EF.CompileQuery((ReadsContext db, int id) => db.Parents.Single(p => p.Id == id));
        return new("point read, compiled query", 2000, (db, i) => _ = query(db, 1 + (i * 7919 % 100_000)));
    }
}
