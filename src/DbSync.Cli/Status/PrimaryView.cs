using System.Globalization;
using DbSync.Postgres;

namespace DbSync.Cli.Status;

/// <summary>What the primary says of a node: its own position and the node's slot.</summary>
internal sealed record PrimaryView(Lsn Position, Lsn? Confirmed, SlotReport Slot)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>Asks the primary; without an answer in time, says why there is none.</summary>
    public static async Task<(PrimaryView? View, string? Why)> TryReadAsync(Primary? primary, string slot, CancellationToken cancellationToken)
    {
        if (primary is null) return (null, "The primary was not asked: name it with --primary or DBSYNC_PRIMARY.");
        using var limit = new CancellationTokenSource(Patience, TimeProvider.System);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            if (await new ReplicationSlot(primary, slot).ReadAsync(both.Token) is not { } state)
                return (new PrimaryView(
                    Lsn.Parse(await primary.ScalarAsync<string>("SELECT pg_catalog.pg_current_wal_lsn()::text", both.Token)), null,
                    new SlotReport(slot, false, "missing", null, null, null, null)), null);
            var rate = await RateAsync(primary, both.Token);
            var eta = state.BudgetBytes is { } budget && rate > 0 ? Math.Max(0, budget) / rate * 1000 : (double?)null;
            return (new PrimaryView(
                state.Current, state.Confirmed, new SlotReport(state.Name, state.Active, state.WalStatus, state.RetainedBytes, state.BudgetBytes, rate, eta)), null);
        }
        catch (DbSyncException exception)
        {
            return (null, exception.Message);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return (null, string.Create(CultureInfo.InvariantCulture, $"The primary did not answer within {Patience.TotalSeconds:0} s."));
        }
    }

    /// <summary>The bytes of log that the primary has written each second since its statistics began.</summary>
    private static Task<double> RateAsync(Primary primary, CancellationToken cancellationToken) => primary.ScalarAsync<double>(
        """
        SELECT coalesce(wal_bytes / nullif(extract(epoch FROM pg_catalog.clock_timestamp() - stats_reset), 0), 0)::float8
        FROM pg_catalog.pg_stat_wal
        """,
        cancellationToken);
}
