using System.Buffers.Binary;
using System.Buffers.Text;

namespace DbSync.EntityFrameworkCore.Consistency;

/// <summary>
/// A position of one PostgreSQL cluster in a form that fits a header or a cookie. Its plain text isn't signed (see <see cref="SyncTokenSeal"/>): one that
/// was made up makes a reader ask the primary once, to ignore what is beyond its position, and nothing else.
/// </summary>
/// <param name="SystemIdentifier">The cluster; 0 when it isn't known, which only a token that asks may say.</param>
/// <param name="Timeline">Its timeline.</param>
/// <param name="Position">What the reader must see.</param>
/// <param name="Asks">
/// Something was written whose position isn't known: the reader asks the primary for its position. So a writer pays nothing, and a reader one round
/// trip, if there is one.
/// </param>
internal readonly record struct SyncToken(ulong SystemIdentifier, uint Timeline, Lsn Position, bool Asks = false)
{
    private const byte Known = 1;
    private const byte Asking = 2;

    /// <summary>Its length.</summary>
    public const int Bytes = 1 + 8 + 4 + 8;

    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        Write(bytes);
        return Base64Url.EncodeToString(bytes);
    }

    /// <summary>Writes it as <see cref="Bytes"/> bytes.</summary>
    public void Write(Span<byte> bytes)
    {
        bytes[0] = Asks ? Asking : Known;
        BinaryPrimitives.WriteUInt64BigEndian(bytes[1..], SystemIdentifier);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[9..], Timeline);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[13..], Position.Value);
    }

    /// <summary>Reads a token; false when the text is none.</summary>
    public static bool TryParse(string? text, out SyncToken token)
    {
        token = default;
        Span<byte> bytes = stackalloc byte[Bytes];
        if (text is not { Length: > 0 and <= 64 } || !Base64Url.IsValid(text) || Base64Url.GetMaxDecodedLength(text.Length) < Bytes) return false;
        return Base64Url.TryDecodeFromChars(text, bytes, out var written) && written == Bytes && TryRead(bytes, out token);
    }

    /// <summary>Reads what <see cref="Write"/> wrote; false when it didn't.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, out SyncToken token)
    {
        token = default;
        if (bytes[0] is not (Known or Asking)) return false;
        token = new SyncToken(
            BinaryPrimitives.ReadUInt64BigEndian(bytes[1..]), BinaryPrimitives.ReadUInt32BigEndian(bytes[9..]), new Lsn(BinaryPrimitives.ReadUInt64BigEndian(bytes[13..])),
            bytes[0] == Asking);
        return true;
    }
}
