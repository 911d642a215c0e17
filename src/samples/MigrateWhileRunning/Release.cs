using DbSync.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore;

namespace MigrateWhileRunning;

/// <summary>The application between two migrations.</summary>
/// <param name="Migration">The migration that it needs.</param>
/// <param name="LookAsync">Reads everybody.</param>
internal sealed record Release(string Migration, Func<Task<Sight>> LookAsync)
{
    /// <summary>A release with its context and its way to read everybody.</summary>
    public static Release Of<TContext>(string migration, Func<TContext> open, Func<TContext, IQueryable<Row>> everybody)
        where TContext : DbContext =>
        new(migration, async () =>
        {
            await using var db = open();
            var rows = await everybody(db).ToListAsync();
            return new Sight(rows.Count, rows.Sum(r => r.Balance), rows.Count(r => r.Promised.Length == 0), db.GetLastRoute()!);
        });
}

/// <summary>One person, as far as a read looks.</summary>
/// <param name="Balance">Money, which people send each other and nobody makes.</param>
/// <param name="Promised">What the release's migration promises of everybody: never empty.</param>
internal sealed record Row(int Balance, string Promised);

/// <summary>What one read saw: one position of the primary, or else the figures don't add up.</summary>
internal sealed record Sight(int People, int Money, int Broken, QueryRoute Route);
