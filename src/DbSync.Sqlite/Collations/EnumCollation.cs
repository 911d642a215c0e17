using System.Text;

namespace DbSync.Sqlite.Collations;

/// <summary>
/// PG_ENUM_type: the labels of one enum in the order PostgreSQL declares them. A label that isn't declared comes last, by its bytes.
/// </summary>
internal sealed class EnumCollation
{
    private readonly byte[][] _labels;
    private readonly int[] _ranks;

    /// <param name="labels">The labels in declaration order.</param>
    public EnumCollation(IEnumerable<string> labels)
    {
        var declared = labels.Select(Encoding.UTF8.GetBytes).ToArray();
        _ranks = [.. Enumerable.Range(0, declared.Length)];
        _labels = declared;
        Array.Sort(_labels, _ranks, Comparer<byte[]>.Create((a, b) => a.AsSpan().SequenceCompareTo(b)));
    }

    public int Compare(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        var order = RankOf(left).CompareTo(RankOf(right));
        return order != 0 ? order : left.SequenceCompareTo(right);
    }

    private int RankOf(ReadOnlySpan<byte> label)
    {
        var low = 0;
        var high = _labels.Length - 1;
        while (low <= high)
        {
            var middle = (low + high) / 2;
            var order = label.SequenceCompareTo(_labels[middle]);
            if (order == 0) return _ranks[middle];
            if (order < 0) high = middle - 1;
            else low = middle + 1;
        }
        return int.MaxValue;
    }
}
