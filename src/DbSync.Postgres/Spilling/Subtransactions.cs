using System.Runtime.InteropServices;

namespace DbSync.Postgres;

/// <summary>
/// Where in a transaction each of its subtransactions began to write. One that is rolled back takes everything after that with it: while it ran,
/// nobody but it and its own subtransactions wrote, and those have to go as well.
/// </summary>
internal sealed class Subtransactions
{
    /// <summary>How many are remembered for one transaction, 16 bytes each.</summary>
    public const int CountMax = 2_000_000;

    private readonly List<(uint Xid, long Offset)> _begins = []; // in the order of their ids, which is nearly that of their offsets
    private uint _last;

    /// <summary>True when there is no room for another.</summary>
    public bool IsFull => _begins.Count >= CountMax;

    /// <summary>Notes that a subtransaction writes at an offset; only the first time counts.</summary>
    public void Write(uint xid, long offset)
    {
        if (xid == _last) return;
        _last = xid;
        var place = Find(xid);
        if (place < 0) _begins.Insert(~place, (xid, offset));
    }

    /// <summary>Forgets a subtransaction that was rolled back, with all that began after it.</summary>
    /// <returns>Where it began to write; null when it wrote nothing.</returns>
    public long? Abort(uint xid)
    {
        _last = 0;
        var place = Find(xid);
        if (place < 0) return null;
        var offset = _begins[place].Offset;
        var kept = _begins.Count;
        while (kept > 0 && _begins[kept - 1].Offset >= offset) kept--;
        _begins.RemoveRange(kept, _begins.Count - kept);
        return offset;
    }

    /// <summary>The place of a transaction id, or the complement of where it belongs. Ids wrap around, and no two here are 2^31 apart.</summary>
    private int Find(uint xid)
    {
        var span = CollectionsMarshal.AsSpan(_begins);
        if (span.IsEmpty || (int)(xid - span[^1].Xid) > 0) return ~span.Length;
        var (low, high) = (0, span.Length - 1);
        while (low <= high)
        {
            var middle = (low + high) / 2;
            var order = (int)(xid - span[middle].Xid);
            if (order == 0) return middle;
            if (order > 0) low = middle + 1;
            else high = middle - 1;
        }
        return ~low;
    }
}
