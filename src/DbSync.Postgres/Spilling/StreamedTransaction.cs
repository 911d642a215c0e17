using System.Buffers.Binary;

namespace DbSync.Postgres;

/// <summary>A transaction that is streamed before its end: its messages wait in a file, as they came but for the subtransactions' ids.</summary>
internal sealed class StreamedTransaction(uint xid, SpillDirectory directory) : IDisposable
{
    private const int LengthBytes = 4;

    private readonly Subtransactions _subtransactions = new();
    private SpillFile? _file; // none until something is published

    public uint Xid { get; } = xid;

    /// <summary>For each table that the transaction has announced, when it did so last: see <see cref="StreamedTransactions.Announcement"/>.</summary>
    public Dictionary<uint, long> Announced { get; } = [];

    /// <summary>The bytes that wait.</summary>
    public long Length => _file?.Length ?? 0;

    /// <summary>Keeps what a block holds so far.</summary>
    public void Append(ReadOnlySpan<byte> framed) => (_file ??= directory.Create()).Append(framed);

    /// <summary>Notes that a subtransaction writes at an offset.</summary>
    /// <exception cref="DbSyncException">DBS3101 there are too many to remember.</exception>
    public void Write(uint subtransaction, long offset)
    {
        if (subtransaction == Xid) return;
        if (_subtransactions.IsFull) throw directory.Full($"more than {Subtransactions.CountMax} subtransactions to be remembered");
        _subtransactions.Write(subtransaction, offset);
    }

    /// <summary>Drops what a subtransaction wrote. What was announced is announced again before it is needed.</summary>
    public void Abort(uint subtransaction)
    {
        if (_subtransactions.Abort(subtransaction) is { } offset) _file?.CutTo(offset);
        Announced.Clear();
    }

    /// <summary>Begins a message: its length and its kind. Its body follows.</summary>
    public static void Frame(ChangeBuffer block, byte kind, int bodyBytes)
    {
        var target = block.Take(LengthBytes + 1);
        BinaryPrimitives.WriteInt32LittleEndian(target, 1 + bodyBytes);
        target[LengthBytes] = kind;
    }

    /// <summary>The messages from the beginning on.</summary>
    public SpillReader Read() => new(_file);

    public void Dispose() => _file?.Dispose();
}
