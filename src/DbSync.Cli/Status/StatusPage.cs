using Spectre.Console;
using Spectre.Console.Rendering;

namespace DbSync.Cli.Status;

/// <summary>A status as people read it.</summary>
internal static class StatusPage
{
    public static IRenderable Of(StatusReport status)
    {
        var summary = new Grid().AddColumn().AddColumn();
        void Add(string name, string value) => summary.AddRow(new Text(name), new Text(value));
        Add("node", $"{status.Node} of replica {status.Replica}");
        Add("state", status.Waiting is null ? status.State : $"{status.State}: {status.Waiting}");
        Add("applied", $"{status.AppliedLsn} (durable {status.DurableLsn ?? "-"}, acknowledged {status.AcknowledgedLsn ?? "-"})");
        Add("primary", status.PrimaryLsn ?? "unknown");
        Add("lag", $"{Units.Duration(status.LagMs)}, {Units.Bytes(status.LagBytes)}");
        Add("delay p50/p99", $"total {Pair(status.Delay.TotalMs)} = write {Pair(status.Delay.WriteMs)} + transfer {Pair(status.Delay.TransferMs)} + sync {Pair(status.Delay.SyncMs)}");
        Add("slot", status.Slot is { } slot
            ? $"{slot.Name}, {(slot.Active ? "active" : "inactive")}, {slot.WalStatus}, keeps {Units.Bytes(slot.RetainedWalBytes)}"
                + (slot.BudgetBytes is null ? ", no limit" : $" of log, {Units.Bytes(slot.BudgetBytes)} left (lasts {Units.Duration(slot.BudgetEtaMs)} at {Units.Bytes((long?)slot.WalBytesPerSecond)}/s)")
            : "unknown");
        if (status.Resync is { } again)
            Add("copied again", $"since {again.Since:u}, because {again.Reason} {again.ChunksDone}/{again.Chunks} chunks, {Units.Count(again.Rows)} rows");
        Add("proved equal", status.Proof is { } proof
            ? $"at {proof.Lsn}, {Units.Duration(proof.AgeMs)} ago, {proof.Tables} of {proof.TablesAll} tables"
            : "never: 'dbsync verify' compares every row");
        Add("applied since start", $"{Units.Count(status.Counters.Transactions)} transactions, {Units.Count(status.Counters.Rows)} rows, {Units.Count(status.Counters.Reconnects)} reconnects");

        var shards = new Table().Border(TableBorder.Simple).AddColumns("shard", "file", "state", "applied");
        shards.AddColumn(new TableColumn("rows").RightAligned()).AddColumn(new TableColumn("size").RightAligned());
        foreach (var shard in status.Shards)
            shards.AddRow(Cells(shard.Id, shard.File, shard.State, shard.AppliedLsn ?? "-", Units.Count(shard.Rows), Units.Bytes(shard.Bytes)));
        var tables = new Table().Border(TableBorder.Simple).AddColumns("table", "state");
        tables.AddColumn(new TableColumn("rows").RightAligned()).AddColumn(new TableColumn("chunks").RightAligned());
        foreach (var table in status.Tables)
            tables.AddRow(Cells(
                table.Name, table.State switch { TableState.Live => "live", TableState.CatchingUp => "catching up", TableState.Quarantined => $"set aside: {table.Quarantine?.Column ?? "a row"} at {table.Quarantine?.Lsn}", _ => "copying" }, Units.Count(table.Rows),
                (table.Chunks == 0 ? "" : $"{table.ChunksDone}/{table.Chunks}") + (table.Copy is { } copy ? $" ({Units.Count((long)copy.RowsPerSecond)}/s, {Units.Duration(copy.EtaMs)} left)" : "") + (table.Resync is { } beside ? $", again {beside.ChunksDone}/{beside.Chunks}" : "")));
        var fresh = FreshnessPlot.Of(status.Shards);
        return status.Hint is { } hint ? new Rows(summary, new Text($"\n{hint}", new Style(Color.Yellow)), shards, tables, fresh) : new Rows(summary, shards, tables, fresh);
    }

    public static IRenderable[] Cells(params string[] texts) => [.. texts.Select(t => new Text(t))];

    private static string Pair(DelayStatus.Quantiles quantiles) => $"{Units.Duration(quantiles.P50)}/{Units.Duration(quantiles.P99)}";
}
