namespace DbSync.Locking;

/// <summary>The ranges of one request, brought into the one form every backend relies on: sorted, disjoint, not even touching.</summary>
internal static class KeyRangeSet
{
    public static KeyRange[] Normalise(IReadOnlyList<KeyRange> ranges)
    {
        ArgumentNullException.ThrowIfNull(ranges);
        if (ranges.Count is 0 or > RangeLockOptions.RangesMax)
            throw new DbSyncException(ErrorCodes.InvalidLockRange,
                $"A lock request names {ranges.Count} ranges; it must name 1 to {RangeLockOptions.RangesMax}.",
                "Lock one range that covers them, or KeyRange.All.");
        if (ranges.Count == 1)
        {
            _ = ranges[0].LowBytes; // a default KeyRange is refused here, not in a backend
            return [ranges[0]];
        }

        var sorted = ranges.OrderBy(range => range.LowBytes, BytesComparer.Instance).ToArray();
        var merged = new List<KeyRange>(sorted.Length) { sorted[0] };
        foreach (var next in sorted.AsSpan(1))
        {
            var last = merged[^1];
            if (next.Low.SequenceCompareTo(last.High) > 0)
                merged.Add(next);
            else if (next.High.SequenceCompareTo(last.High) > 0)
                merged[^1] = KeyRange.FromBounds(last.LowBytes, next.HighBytes);
        }

        return [.. merged];
    }

    public static bool Overlap(KeyRange[] left, KeyRange[] right)
    {
        foreach (var l in left)
        foreach (var r in right)
            if (l.Overlaps(r))
                return true;
        return false;
    }

    private sealed class BytesComparer : IComparer<byte[]>
    {
        public static readonly BytesComparer Instance = new();

        public int Compare(byte[]? x, byte[]? y) => x.AsSpan().SequenceCompareTo(y);
    }
}
