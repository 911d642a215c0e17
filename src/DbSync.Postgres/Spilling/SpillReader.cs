using System.Buffers.Binary;

namespace DbSync.Postgres;

/// <summary>Reads the messages of a transaction back, each framed by its length.</summary>
internal sealed class SpillReader(SpillFile? file)
{
    private const int LengthBytes = 4;
    private const int BufferBytes = 256 << 10;

    private byte[] _buffer = file is null ? [] : GC.AllocateUninitializedArray<byte>((int)Math.Min(BufferBytes, Math.Max(file.Length, 1)));
    private long _next;
    private int _start;
    private int _end;

    /// <summary>The next message; valid until the next call. False at the end.</summary>
    public bool TryRead(out ReadOnlySpan<byte> message)
    {
        message = default;
        if (file is null || (_start == _end && _next == file.Length)) return false;
        Fill(LengthBytes);
        var length = BinaryPrimitives.ReadInt32LittleEndian(_buffer.AsSpan(_start));
        Fill(LengthBytes + length);
        message = _buffer.AsSpan(_start + LengthBytes, length);
        _start += LengthBytes + length;
        return true;
    }

    /// <summary>Reads until so many bytes of the next message are here.</summary>
    private void Fill(int count)
    {
        var rest = _buffer.AsSpan(_start, _end - _start);
        if (rest.Length >= count) return;
        var target = count <= _buffer.Length && _buffer.Length <= BufferBytes
            ? _buffer
            : GC.AllocateUninitializedArray<byte>(Math.Max(count, BufferBytes)); // grows for a giant, and back after it
        rest.CopyTo(target);
        (_buffer, _start, _end) = (target, 0, rest.Length);
        var read = (int)Math.Min(_buffer.Length - _end, file!.Length - _next);
        file.Read(_buffer.AsSpan(_end, read), _next);
        _next += read;
        _end += read;
    }
}
