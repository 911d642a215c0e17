namespace DbSync;

/// <summary>
/// A row that a changed shard key moves from one shard to another, and whose new version leaves a stored value as it was: only the shard
/// that had the row can say what that value is.
/// </summary>
/// <param name="wake">Called when the row is there, or known not to be.</param>
internal sealed class RowMove(Action wake)
{
    private volatile byte[]? _row;
    private volatile bool _decided;

    public bool IsDecided => _decided;

    /// <summary>The old row's cells in column order; null when the shard that had it can't tell.</summary>
    public byte[]? Row => _row;

    public void Give(ReadOnlySpan<byte> row) => Decide(row.ToArray());

    public void GiveNothing() => Decide(null);

    private void Decide(byte[]? row)
    {
        _row = row;
        _decided = true;
        wake();
    }
}
