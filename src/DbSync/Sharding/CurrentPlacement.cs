namespace DbSync;

/// <summary>The placement that holds now. It begins as every table everywhere, and is replaced when a map arrives.</summary>
internal sealed class CurrentPlacement : IRowPlacement
{
    private volatile IRowPlacement _current = new EverywherePlacement();

    /// <summary>The layout that holds now; null without a map.</summary>
    public ShardLayout? Layout => (_current as MapPlacement)?.Layout;

    public void Switch(MapPlacement placement) => _current = placement;

    public bool IsWhole => _current.IsWhole;

    public bool IsEverywhere(TableSchema table) => _current.IsEverywhere(table);

    public ulong SureShardsOf(TableSchema table, ReadOnlySpan<byte> identity) => _current.SureShardsOf(table, identity);

    public ulong ShardsOf(TableSchema table, ReadOnlySpan<byte> identity) => _current.ShardsOf(table, identity);
}
