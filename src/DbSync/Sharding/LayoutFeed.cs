namespace DbSync;

/// <summary>
/// Sees new shard maps come by in the change log, as rows of the control schema, and switches the node to them at the end of the
/// transaction that brings them: from there on rows are placed by the new map, and each shard file keeps it at the same position.
/// </summary>
internal sealed class LayoutFeed(string replica, CurrentPlacement placement, IReadOnlyList<ShardId> shards)
{
    public const string TableName = "shard_map";

    private ShardLayout? _next;

    /// <summary>Looks at a part before it is routed; the switch comes with the next one.</summary>
    public void Notice(TransactionPart part)
    {
        if (part.Begins) _next = null;
        if (part.TouchesControl) Find(part);
        if (part.Ends && _next is not null) part.Layout = _next;
    }

    /// <summary>What follows is placed by the map that the part brought.</summary>
    public void Passed(ShardLayout layout)
    {
        placement.Switch(new MapPlacement(layout, shards));
        Changed(layout);
    }

    /// <summary>Told of a layout once all shards have been given what brought it.</summary>
    public Action<ShardLayout> Changed { get; set; } = _ => { };

    private void Find(TransactionPart part)
    {
        var reader = new ChangeReader(part);
        while (reader.Read())
        {
            if (reader.Kind != ChangeKind.Insert || !reader.Table.IsControl || reader.Table.Name != TableName) continue;
            if (RowOf(reader.Table, reader.Cells) is not { } row || row.Version <= (_next?.Version ?? placement.Layout?.Version ?? 0)) continue;
            _next = ShardLayout.Of(row);
        }
    }

    private ShardLayoutRow? RowOf(TableSchema table, ReadOnlySpan<byte> cells)
    {
        var (of, hash, members, keys) = ("", "", "", "");
        var (version, copies, spread) = (0L, 0L, 0L);
        byte[] owners = [];
        foreach (var column in table.Columns)
        {
            var cell = Cell.Read(ref cells);
            switch (column.Name)
            {
                case "replica": of = Text(cell); break;
                case "version": version = cell.Integer; break;
                case "copies": copies = cell.Integer; break;
                case "spread": spread = cell.Integer; break;
                case "hash": hash = Text(cell); break;
                case "shards": members = Text(cell); break;
                case "keys": keys = Text(cell); break;
                case "owners": owners = cell.Bytes.ToArray(); break;
            }
        }
        return of == replica ? new ShardLayoutRow(version, (int)copies, (int)spread, hash, members, keys, owners) : null;

        static string Text(Cell cell) => System.Text.Encoding.UTF8.GetString(cell.Bytes);
    }
}
