using System.Collections.Immutable;
using System.Globalization;

namespace DbSync;

/// <summary>
/// Which transactions a snapshot of the primary sees: all below <see cref="Xmin"/>, none from <see cref="Xmax"/> on, and between the two
/// those that were not running. Ids are 64 bits wide. Source: PostgreSQL manual, "Transaction ID and Snapshot Information Functions".
/// </summary>
internal sealed record TransactionSnapshot(ulong Xmin, ulong Xmax, ImmutableArray<ulong> Running)
{
    public bool Sees(ulong xid) => xid < Xmin || (xid < Xmax && Running.BinarySearch(xid) < 0);

    /// <summary>
    /// The 64-bit id of a transaction that the stream names with its low 32 bits: the one nearest to this snapshot, since no two
    /// transactions that matter at one time are 2^31 apart.
    /// </summary>
    public ulong Widen(uint xid) => Widen(xid, Xmax);

    /// <inheritdoc cref="Widen(uint)"/>
    public static ulong Widen(uint xid, ulong near)
    {
        var candidate = (near & 0xFFFF_FFFF_0000_0000) | xid;
        if (candidate > near + 0x8000_0000 && candidate >= 0x1_0000_0000) return candidate - 0x1_0000_0000;
        return candidate + 0x8000_0000 < near ? candidate + 0x1_0000_0000 : candidate;
    }

    /// <summary>Reads the text form of <c>pg_snapshot</c>: <c>xmin:xmax:xip,xip</c>.</summary>
    public static TransactionSnapshot Parse(string text)
    {
        var fields = text.Split(':');
        var running = fields[2].Length == 0
            ? []
            : fields[2].Split(',').Select(x => ulong.Parse(x, CultureInfo.InvariantCulture)).Order().ToImmutableArray();
        return new TransactionSnapshot(
            ulong.Parse(fields[0], CultureInfo.InvariantCulture), ulong.Parse(fields[1], CultureInfo.InvariantCulture), running);
    }

    public override string ToString() => $"{Xmin}:{Xmax}:{string.Join(',', Running)}";
}
