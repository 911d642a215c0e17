using System.Buffers;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace DbSync.Postgres.Types;

/// <summary>
/// How the values of one PostgreSQL type are stored in a shard. A codec has no state: any number of threads may use one.
/// </summary>
/// <remarks>
/// The wire forms are PostgreSQL's output and send functions under <see cref="SessionSettings"/>; both give identical cells. Wire bytes
/// that no server sends raise <see cref="ErrorCodes.ValueUnstorable"/>.
/// </remarks>
internal abstract class TypeCodec(StorageClass storage, string? collation = null, string? primaryOnlyReason = null)
{
    /// <summary>What the values are stored as, unless one had to be kept as text.</summary>
    public StorageClass Storage { get; } = storage;

    /// <summary>The SQLite collation the column is declared with, or null for BINARY.</summary>
    public string? Collation { get; } = collation;

    /// <summary>Why EF can't read any value of this type from a replica, or null when it can.</summary>
    public string? PrimaryOnlyReason { get; } = primaryOnlyReason;

    /// <summary>
    /// True when a stored value, as text, is read by PostgreSQL's input function as the same value again: what a key needs so that it can be
    /// asked for.
    /// </summary>
    public virtual bool RoundTrips => true;

    /// <summary>True when the copy path takes this type in PostgreSQL's send format; otherwise it selects the text.</summary>
    public virtual bool HasBinary => false;

    /// <summary>
    /// Appends one cell for a value in PostgreSQL's text form. False when the value has no place in the contract (NaN, a date before
    /// Christ, ...) and its text was kept instead: the column is *primary only* from here on.
    /// </summary>
    public abstract bool DecodeText(ReadOnlySpan<byte> wire, ChangeBuffer target);

    /// <summary>The same for one field of a binary COPY of <see cref="CopySql"/>.</summary>
    public virtual bool DecodeBinary(ReadOnlySpan<byte> wire, ChangeBuffer target) => DecodeText(wire, target);

    /// <summary>What a binary COPY has to select so that <see cref="DecodeBinary"/> understands the field.</summary>
    public string CopySql(string quotedColumn) => HasBinary ? quotedColumn : OutputText(quotedColumn);

    /// <summary>
    /// An SQL expression of type text for the value as the replica stores it, NULL for NULL; it needs <see cref="SessionSettings"/>.
    /// <see cref="WriteCanonical"/> gives the same bytes for the stored cell.
    /// </summary>
    public virtual string CanonicalSql(string quotedColumn) => $"({quotedColumn})::text";

    /// <summary>Writes the canonical form of a stored cell as UTF-8; nothing for NULL.</summary>
    public virtual void WriteCanonical(Cell cell, IBufferWriter<byte> target)
    {
        switch (cell.Kind)
        {
            case CellKind.Integer:
                Utf8Formatter.TryFormat(cell.Integer, target.GetSpan(20), out var written);
                target.Advance(written);
                break;
            case CellKind.Text:
                target.Write(cell.Bytes);
                break;
            case CellKind.Blob:
                Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
                SHA256.HashData(cell.Bytes, hash);
                Convert.TryToHexStringLower(hash, target.GetSpan(2 * hash.Length), out written);
                target.Advance(written);
                break;
        }
    }

    /// <summary>Writes a stored cell as an element of the JSON array that EF Core's SQLite provider binds for a collection.</summary>
    public virtual void WriteJson(Cell cell, IBufferWriter<byte> target)
    {
        switch (cell.Kind)
        {
            case CellKind.Integer:
                Utf8Formatter.TryFormat(cell.Integer, target.GetSpan(20), out var written);
                target.Advance(written);
                break;
            case CellKind.Text:
                WriteJsonString(cell.Bytes, target);
                break;
            case CellKind.Blob:
                target.Write("\""u8);
                Convert.TryToHexString(cell.Bytes, target.GetSpan(2 * cell.Bytes.Length), out written);
                target.Advance(written);
                target.Write("\""u8);
                break;
            default:
                throw new InvalidOperationException($"A cell of kind {cell.Kind} has no JSON form in this codec.");
        }
    }

    /// <summary>Appends the cell that <see cref="WriteJson"/> wrote as the reader's current token.</summary>
    public virtual void ReadJson(ref Utf8JsonReader reader, ChangeBuffer target)
    {
        switch (Storage)
        {
            case StorageClass.Integer:
                target.WriteInteger(reader.GetInt64());
                break;
            case StorageClass.Blob:
                target.WriteBlob(Convert.FromHexString(reader.ValueSpan));
                break;
            default:
                var room = target.BeginCell(CellKind.Text, reader.ValueSpan.Length);
                target.EndCell(reader.CopyString(room));
                break;
        }
    }

    /// <summary>
    /// The type's own output function: a cast to text may print something else (inet, char(n), whatever an extension defines).
    /// IS DISTINCT FROM because a composite of NULLs "is null" without being NULL.
    /// </summary>
    protected static string OutputText(string quotedColumn) =>
        $"CASE WHEN {quotedColumn} IS DISTINCT FROM NULL THEN pg_catalog.format('%s', {quotedColumn}) END";

    private static void WriteJsonString(ReadOnlySpan<byte> utf8, IBufferWriter<byte> target)
    {
        const int EscapedBytesMax = 12;
        target.Write("\""u8);
        while (!utf8.IsEmpty)
        {
            JavaScriptEncoder.Default.EncodeUtf8(utf8, target.GetSpan(EscapedBytesMax), out var consumed, out var written);
            target.Advance(written);
            utf8 = utf8[consumed..];
        }
        target.Write("\""u8);
    }
}
