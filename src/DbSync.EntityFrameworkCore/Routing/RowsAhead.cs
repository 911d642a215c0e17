using System.Buffers;
using System.Runtime.CompilerServices;

namespace DbSync.EntityFrameworkCore.Routing;

/// <summary>The rows that were read before the first was given out: for so long the primary can take over. Costs no allocation of theirs.</summary>
internal sealed class RowsAhead<TRow> : IDisposable
{
    private TRow[] _rows = [];

    public int Count { get; private set; }

    public TRow this[int index] => _rows[index];

    public void Add(TRow row)
    {
        if (Count == _rows.Length)
        {
            var larger = ArrayPool<TRow>.Shared.Rent(Math.Max(1, Count * 4));
            Array.Copy(_rows, larger, Count);
            GiveBack();
            _rows = larger;
        }
        _rows[Count++] = row;
    }

    public void Dispose()
    {
        GiveBack();
        (_rows, Count) = ([], 0);
    }

    private void GiveBack()
    {
        if (_rows.Length > 0) ArrayPool<TRow>.Shared.Return(_rows, RuntimeHelpers.IsReferenceOrContainsReferences<TRow>());
    }
}

/// <summary>How far is read ahead.</summary>
internal static class RowsAhead
{
    /// <summary>The rows that are read before the first is given out, where no more have to be: a page of any application's.</summary>
    public const int Max = 256;
}
