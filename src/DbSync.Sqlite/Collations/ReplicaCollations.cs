namespace DbSync.Sqlite;

/// <summary>The orders behind the names that replica columns are declared with.</summary>
internal static class ReplicaCollations
{
    public static IReadOnlyList<(string Name, CollationOrder Order)> BuiltIn { get; } = [];

    /// <summary>Declaration order; a label that is not known yet sorts after the known ones, by its bytes.</summary>
    public static CollationOrder Enum(IReadOnlyList<string> labels)
    {
        var known = labels.Select(System.Text.Encoding.UTF8.GetBytes).ToArray();
        return (left, right) =>
        {
            int l = Rank(known, left), r = Rank(known, right);
            return l != r || l < known.Length ? l.CompareTo(r) : left.SequenceCompareTo(right);
        };
    }

    private static int Rank(byte[][] labels, ReadOnlySpan<byte> label)
    {
        for (var i = 0; i < labels.Length; i++)
            if (label.SequenceEqual(labels[i])) return i;
        return labels.Length;
    }
}
