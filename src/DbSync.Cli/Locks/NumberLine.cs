using DbSync.Locking;

namespace DbSync.Cli.Locks;

/// <summary>
/// The keys of a resource's locks on one line. Keys may be of any type, so the line is one of places, not of distances: the bounds that occur, in
/// their order, evenly spread.
/// </summary>
internal sealed class NumberLine
{
    private const char Free = '·';

    private readonly byte[][] _bounds;
    private readonly string[] _labels;
    private readonly int _width;

    public NumberLine(LockSnapshot snapshot, int width)
    {
        var labels = new SortedDictionary<byte[], string>(Comparer<byte[]>.Create((x, y) => x.AsSpan().SequenceCompareTo(y)));
        foreach (var range in snapshot.Entries.SelectMany(entry => entry.Ranges))
        {
            labels[range.LowBytes] = RangeKeyText.Low(range);
            labels[range.HighBytes] = RangeKeyText.High(range);
        }

        (_bounds, _labels, _width) = ([.. labels.Keys], [.. labels.Values], width);
    }

    /// <summary>The names of the bounds, as many as fit without touching.</summary>
    public string Axis
    {
        get
        {
            var line = new string(' ', _width).ToCharArray();
            var free = 0;
            for (var i = 0; i < _bounds.Length; i++)
            {
                var label = _labels[i].Length <= _width / 2 ? _labels[i] : _labels[i][..((_width / 2) - 1)] + "…";
                var at = Math.Min(Place(i), _width - label.Length);
                if (at < free) continue;
                label.CopyTo(line.AsSpan(at));
                free = at + label.Length + 1;
            }

            return new string(line).TrimEnd();
        }
    }

    /// <summary>A lock's ranges, drawn with the sign of its state and mode.</summary>
    public string Of(LockEntry entry)
    {
        var line = new string(Free, _width).ToCharArray();
        foreach (var range in entry.Ranges)
        {
            var (low, high) = (Place(Index(range.LowBytes)), Place(Index(range.HighBytes)));
            line.AsSpan(low, Math.Max(1, high - low)).Fill(Sign(entry));
        }

        return new string(line);
    }

    private static char Sign(LockEntry entry) => entry.Mode == LockMode.Exclusive ? entry.IsHeld ? '█' : '=' : entry.IsHeld ? '▒' : '-';

    private int Place(int index) => _bounds.Length < 2 ? 0 : index * (_width - 1) / (_bounds.Length - 1);

    private int Index(byte[] bound) => Array.BinarySearch(_bounds, bound, Comparer<byte[]>.Create((x, y) => x.AsSpan().SequenceCompareTo(y)));
}
