namespace DbSync;

/// <summary>
/// A table's contents in 1,024 groups by the hash of the key: how many rows, and the sum of their 64-bit hashes. Two sides whose groups
/// are equal hold the same rows, but for a chance of about 2^-64 a group; a group that differs says where to look.
/// </summary>
internal sealed class GroupDigests
{
    public const int GroupCount = 1024;

    private readonly long[] _rows = new long[GroupCount];
    private readonly Int128[] _sums = new Int128[GroupCount];

    public long Rows => _rows.Sum();

    /// <summary>The group of a key, by its hash's top 10 bits.</summary>
    public static int GroupOf(long keyHash) => (int)((ulong)keyHash >> 54);

    public long RowsOf(int group) => _rows[group];

    public void Add(long keyHash, long rowHash) => AddGroup(GroupOf(keyHash), 1, rowHash);

    public void AddGroup(int group, long rows, Int128 sum)
    {
        _rows[group] += rows;
        _sums[group] += sum;
    }

    public void Add(GroupDigests other)
    {
        for (var group = 0; group < GroupCount; group++) AddGroup(group, other._rows[group], other._sums[group]);
    }

    /// <summary>The groups in which two sides differ.</summary>
    public IReadOnlyList<int> DifferingFrom(GroupDigests other) =>
        [.. Enumerable.Range(0, GroupCount).Where(g => _rows[g] != other._rows[g] || _sums[g] != other._sums[g])];
}
