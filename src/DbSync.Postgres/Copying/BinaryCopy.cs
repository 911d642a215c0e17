using System.Buffers.Binary;
using DbSync.Postgres.Types;

namespace DbSync.Postgres;

/// <summary>PostgreSQL's binary COPY format. Source: PostgreSQL manual, "COPY", "Binary Format".</summary>
internal static class BinaryCopy
{
    /// <summary>Signature (11 bytes), flags (4), length of the header's extension (4).</summary>
    public const int HeaderBytes = 19;

    private const short Trailer = -1;

    /// <summary>Checks the header and returns the offset of the first row.</summary>
    public static int SkipHeader(ReadOnlySpan<byte> bytes, ref bool header)
    {
        if (!bytes.StartsWith(Signature)) throw WireReader.Malformed("a COPY without its signature");
        var extension = BinaryPrimitives.ReadInt32BigEndian(bytes[15..]);
        if (extension != 0) throw WireReader.Malformed("a COPY with an extended header");
        header = false;
        return HeaderBytes;
    }

    /// <summary>Decodes the whole rows between <paramref name="start"/> and <paramref name="end"/>; true at the trailer.</summary>
    public static bool Rows(byte[] buffer, ref int start, int end, TypeCodec[] codecs, ChunkRows rows)
    {
        while (true)
        {
            var bytes = buffer.AsSpan(start, end - start);
            if (bytes.Length < 2) return false;
            var count = BinaryPrimitives.ReadInt16BigEndian(bytes);
            if (count == Trailer) return true;
            if (count != codecs.Length) throw WireReader.Malformed("a copied row with another number of columns than its table");
            var size = SizeOfRow(bytes, count);
            if (size < 0) return false;
            Row(bytes[2..size], codecs, rows);
            rows.Count++;
            start += size;
        }
    }

    private static ReadOnlySpan<byte> Signature => [0x50, 0x47, 0x43, 0x4F, 0x50, 0x59, 0x0A, 0xFF, 0x0D, 0x0A, 0x00];

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

    private static void Row(ReadOnlySpan<byte> fields, TypeCodec[] codecs, ChunkRows rows)
    {
        var target = rows.Current();
        for (var i = 0; i < codecs.Length; i++)
        {
            var length = BinaryPrimitives.ReadInt32BigEndian(fields);
            if (length < 0)
            {
                target.WriteNull();
                fields = fields[4..];
                continue;
            }
            var value = fields.Slice(4, length);
            if (!codecs[i].DecodeBinary(value, target)) rows.KeptAsText.Add(i);
            fields = fields[(4 + length)..];
        }
    }
}
