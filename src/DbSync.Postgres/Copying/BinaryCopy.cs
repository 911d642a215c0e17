using System.Buffers.Binary;

namespace DbSync.Postgres;

/// <summary>Takes the fields of one row of a COPY, each a length (4 bytes, -1 for NULL) and so many bytes.</summary>
internal delegate void CopiedRow(ReadOnlySpan<byte> fields);

/// <summary>
/// Cuts PostgreSQL's binary COPY format into rows, whatever pieces it comes in. Source: PostgreSQL manual, "COPY", "Binary Format".
/// </summary>
/// <param name="columns">How many fields each row must have.</param>
/// <param name="row">Takes one row after another; the bytes are valid until it returns.</param>
internal sealed class BinaryCopy(int columns, CopiedRow row)
{
    private const int HeaderBytes = 19; // signature (11 bytes), flags (4), length of the header's extension (4)
    private const short Trailer = -1;

    private byte[] _left = [];
    private int _leftBytes;
    private bool _begun;
    private bool _ended;

    /// <summary>Takes the next piece: as a rule one row, and the header before the first.</summary>
    public void Take(ReadOnlySpan<byte> piece)
    {
        if (_leftBytes > 0) piece = Join(piece);
        while (!_ended && TryTake(piece, out var size)) piece = piece[size..];
        Keep(_ended ? default : piece);
    }

    /// <summary>Checks that nothing is missing.</summary>
    public void End()
    {
        if (!_ended) throw WireReader.Malformed("a COPY that ends without its trailer");
    }

    private static ReadOnlySpan<byte> Signature => [0x50, 0x47, 0x43, 0x4F, 0x50, 0x59, 0x0A, 0xFF, 0x0D, 0x0A, 0x00];

    private bool TryTake(ReadOnlySpan<byte> bytes, out int size)
    {
        size = HeaderBytes;
        if (!_begun)
        {
            if (bytes.Length < HeaderBytes) return false;
            if (!bytes.StartsWith(Signature)) throw WireReader.Malformed("a COPY without its signature");
            if (BinaryPrimitives.ReadInt32BigEndian(bytes[15..]) != 0) throw WireReader.Malformed("a COPY with an extended header");
            return _begun = true;
        }
        if (bytes.Length < 2) return false;
        size = 2;
        var count = BinaryPrimitives.ReadInt16BigEndian(bytes);
        if (count == Trailer) return _ended = true;
        if (count != columns) throw WireReader.Malformed("a copied row with another number of columns than its table");
        size = SizeOfRow(bytes, count);
        if (size < 0) return false;
        row(bytes[2..size]);
        return true;
    }

    /// <summary>The bytes of the first row, or -1 when it is not all here.</summary>
    private static int SizeOfRow(ReadOnlySpan<byte> bytes, int count)
    {
        var offset = 2;
        for (var i = 0; i < count; i++)
        {
            if (bytes.Length - offset < 4) return -1;
            var length = BinaryPrimitives.ReadInt32BigEndian(bytes[offset..]);
            offset += 4;
            if (length < 0) continue;
            if (bytes.Length - offset < length) return -1;
            offset += length;
        }
        return offset;
    }

    private ReadOnlySpan<byte> Join(ReadOnlySpan<byte> piece)
    {
        if (_leftBytes + piece.Length > _left.Length) Array.Resize(ref _left, Math.Max(_left.Length * 2, _leftBytes + piece.Length));
        piece.CopyTo(_left.AsSpan(_leftBytes));
        return _left.AsSpan(0, _leftBytes + piece.Length);
    }

    private void Keep(ReadOnlySpan<byte> rest)
    {
        if (rest.Length > _left.Length) Array.Resize(ref _left, rest.Length);
        rest.CopyTo(_left); // it may lie in there already: copying to the front is safe
        _leftBytes = rest.Length;
    }
}
