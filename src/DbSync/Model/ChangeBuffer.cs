using System.Runtime.CompilerServices;

namespace DbSync;

/// <summary>
/// A growing run of encoded changes. Its memory is pinned, so that SQLite can bind a value from where it was decoded, without a copy.
/// </summary>
/// <remarks>
/// A cell is one byte of <see cref="CellKind"/>; Integer and Real are followed by 8 bytes, Text and Blob by a 4-byte length and the
/// bytes (native byte order: the buffer never leaves the process, except into a spill file of the same process).
/// </remarks>
internal sealed class ChangeBuffer
{
    /// <summary>The largest run that PostgreSQL can send for one row is below this; so is what one array can hold.</summary>
    public const int CapacityBytesMax = 0x7FFF_FFC7;

    private byte[] _bytes;

    public ChangeBuffer(int capacityBytes) => _bytes = GC.AllocateUninitializedArray<byte>(capacityBytes, pinned: true);

    /// <summary>The bytes written.</summary>
    public int Length { get; private set; }

    public int Capacity => _bytes.Length;

    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, Length);

    public void Clear() => Length = 0;

    /// <summary>Drops what was written after <paramref name="length"/>.</summary>
    public void Rewind(int length) => Length = length;

    public void WriteNull() => Take(1)[0] = (byte)CellKind.Null;

    public void WriteUnchanged() => Take(1)[0] = (byte)CellKind.Unchanged;

    public void WriteInteger(long value)
    {
        var span = Take(9);
        span[0] = (byte)CellKind.Integer;
        Unsafe.WriteUnaligned(ref span[1], value);
    }

    public void WriteReal(double value)
    {
        var span = Take(9);
        span[0] = (byte)CellKind.Real;
        Unsafe.WriteUnaligned(ref span[1], value);
    }

    /// <summary>Writes UTF-8 text as it is.</summary>
    public void WriteText(ReadOnlySpan<byte> utf8) => WriteBytes(CellKind.Text, utf8);

    public void WriteBlob(ReadOnlySpan<byte> bytes) => WriteBytes(CellKind.Blob, bytes);

    /// <summary>
    /// Starts a Text or Blob cell whose length is not known yet: room for <paramref name="maximumBytes"/>, to be closed by
    /// <see cref="EndCell"/> before anything else is written.
    /// </summary>
    public Span<byte> BeginCell(CellKind kind, int maximumBytes)
    {
        Reserve(checked(5 + maximumBytes));
        _bytes[Length] = (byte)kind;
        return _bytes.AsSpan(Length + 5, maximumBytes);
    }

    /// <summary>Closes the cell begun last with the number of bytes really used.</summary>
    public void EndCell(int usedBytes)
    {
        Unsafe.WriteUnaligned(ref _bytes[Length + 1], usedBytes);
        Length += 5 + usedBytes;
    }

    /// <summary>Copies encoded cells or changes.</summary>
    public void Append(ReadOnlySpan<byte> encoded) => encoded.CopyTo(Take(encoded.Length));

    /// <summary>Makes room for bytes that are written in place, such as a header filled in later.</summary>
    public Span<byte> Take(int count)
    {
        Reserve(count);
        var span = _bytes.AsSpan(Length, count);
        Length += count;
        return span;
    }

    /// <summary>Overwrites bytes that were written before.</summary>
    public Span<byte> At(int offset, int count) => _bytes.AsSpan(offset, count);

    /// <summary>The address of a byte; it stays valid until the buffer grows or is dropped.</summary>
    public unsafe byte* Pointer => (byte*)Unsafe.AsPointer(ref System.Runtime.InteropServices.MemoryMarshal.GetArrayDataReference(_bytes));

    private void WriteBytes(CellKind kind, ReadOnlySpan<byte> bytes)
    {
        var span = Take(checked(5 + bytes.Length));
        span[0] = (byte)kind;
        Unsafe.WriteUnaligned(ref span[1], bytes.Length);
        bytes.CopyTo(span[5..]);
    }

    private void Reserve(int count)
    {
        if (count > _bytes.Length - Length) Grow(count);
    }

    private void Grow(int count)
    {
        var wanted = Math.Max((long)Length + count, Math.Min(_bytes.Length * 4L, _bytes.Length + (64L << 20)));
        if ((long)Length + count > CapacityBytesMax)
            throw new DbSyncException(ErrorCodes.RowTooLarge, "A single row is larger than 2 GiB once decoded.");
        var grown = GC.AllocateUninitializedArray<byte>((int)Math.Min(wanted, CapacityBytesMax), pinned: true);
        _bytes.AsSpan(0, Length).CopyTo(grown);
        _bytes = grown;
    }
}
