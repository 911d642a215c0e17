using System.Text;

namespace DbSync;

/// <summary>Tables that are set aside because a value of theirs can't be stored.</summary>
internal sealed partial class ChangeApplier
{
    private readonly Dictionary<TableId, TableRecord> _quarantined = [];

    /// <summary>Sets a table aside: the rest goes on, and it comes back when it is copied again.</summary>
    public void Quarantine(TableId table, string? column, Lsn position, string reason)
    {
        table = table.Original;
        if (Tables.FirstOrDefault(t => t.Schema.Id == table) is not { } record || _quarantined.ContainsKey(table)) return;
        DropShadow(table);
        _live.Remove(table);
        _copies.Remove(table);
        record = record with { State = TableState.Quarantined };
        _quarantined.Add(table, record);
        _store.SaveTable(record);
        _store.SaveQuarantine(table, new Quarantine(column, position, reason));
        Reenter();
    }

    /// <summary>A table that was published anew since it was set aside is copied again, like any other.</summary>
    private bool IsSetAside(TableSchema table) =>
        _quarantined.TryGetValue(table.Id, out var record) && !table.IsPublishedAnewSince(record.Schema);

    private void Quarantine(ChangeReader reader, Lsn position)
    {
        var cells = reader.Cells;
        var column = (int)Cell.Read(ref cells).Integer;
        var reason = Encoding.UTF8.GetString(Cell.Read(ref cells).Bytes);
        Quarantine(reader.Table.Id, column < 0 ? null : reader.Table.Columns[column].Name, position, reason);
    }
}
