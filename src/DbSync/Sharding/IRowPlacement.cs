namespace DbSync;

/// <summary>Says which shards of this node hold a row.</summary>
internal interface IRowPlacement
{
    /// <summary>True when every shard holds every row, of whatever table.</summary>
    bool IsWhole { get; }

    /// <summary>True when every shard holds all of the table, so that changes need no look at their rows.</summary>
    bool IsEverywhere(TableSchema table);

    /// <summary>The shards that hold the row with these identity cells (see <see cref="TransactionPart"/>), as bits by shard ordinal.</summary>
    ulong ShardsOf(TableSchema table, ReadOnlySpan<byte> identity);

    /// <summary>Those of <see cref="ShardsOf"/> that have had the row for as long as it is there: not those that its bucket is on its way to.</summary>
    ulong SureShardsOf(TableSchema table, ReadOnlySpan<byte> identity) => ShardsOf(table, identity);
}

/// <summary>Every table is a reference table: right for a node with one shard.</summary>
internal sealed class EverywherePlacement : IRowPlacement
{
    public bool IsWhole => true;

    public bool IsEverywhere(TableSchema table) => true;

    public ulong ShardsOf(TableSchema table, ReadOnlySpan<byte> identity) => ulong.MaxValue;
}
