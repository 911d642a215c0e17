using System.Runtime.InteropServices;

namespace DbSync;

/// <summary>Counts the keys whose rows differ between two sides, from the hashes of both sides' rows.</summary>
/// <param name="hasKey">Whether a row is found by its key; without one, rows are a multiset.</param>
internal sealed class DifferenceCounter(bool hasKey)
{
    private readonly Dictionary<(long Key, long Row), int> _surplus = [];

    public void AddPrimary(long keyHash, long rowHash) => Add(keyHash, rowHash, 1);

    public void AddReplica(long keyHash, long rowHash) => Add(keyHash, rowHash, -1);

    /// <summary>
    /// With a key: the keys whose row is missing, extra or other. Without: the rows that one side has and the other has not, where a
    /// missing one and an extra one count as one that was changed.
    /// </summary>
    public long Count
    {
        get
        {
            var differing = _surplus.Where(s => s.Value != 0).ToList();
            return hasKey
                ? differing.Select(s => s.Key.Key).Distinct().LongCount()
                : Math.Max(differing.Sum(s => (long)Math.Max(0, s.Value)), differing.Sum(s => (long)Math.Max(0, -s.Value)));
        }
    }

    /// <summary>The hashes of the keys whose rows differ.</summary>
    public IEnumerable<long> Keys => _surplus.Where(s => s.Value != 0).Select(s => s.Key.Key).Distinct();

    private void Add(long keyHash, long rowHash, int count)
    {
        ref var surplus = ref CollectionsMarshal.GetValueRefOrAddDefault(_surplus, (keyHash, rowHash), out _);
        surplus += count;
    }
}
