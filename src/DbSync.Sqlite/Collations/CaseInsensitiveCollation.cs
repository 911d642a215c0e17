using System.Text;

namespace DbSync.Sqlite.Collations;

/// <summary>
/// PG_CITEXT: compares what citext compares, the lower-case forms, in code point order. PostgreSQL lower-cases character by character in
/// the database's locale; this is what C.UTF-8 does.
/// </summary>
/// <remarks>
/// Compared with glibc 2.36 over all code points: equal but for capitals that Unicode added later (27 of them by .NET 10), which that libc
/// leaves alone, and for U+0130 below.
/// </remarks>
internal static class CaseInsensitiveCollation
{
    public const string Name = "PG_CITEXT";

    // .NET's invariant culture leaves the dotted capital I alone; C.UTF-8 makes it an i.
    private static readonly Rune DottedCapitalI = new(0x130);

    public static int Compare(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        while (!left.IsEmpty && !right.IsEmpty)
        {
            if ((left[0] | right[0]) < 0x80)
            {
                var difference = LowerAscii(left[0]) - LowerAscii(right[0]);
                if (difference != 0) return difference;
                left = left[1..];
                right = right[1..];
                continue;
            }
            var order = Next(ref left).CompareTo(Next(ref right));
            if (order != 0) return order;
        }
        return left.Length.CompareTo(right.Length);
    }

    private static int LowerAscii(byte value) => value is >= (byte)'A' and <= (byte)'Z' ? value | 0x20 : value;

    private static Rune Next(ref ReadOnlySpan<byte> text)
    {
        Rune.DecodeFromUtf8(text, out var rune, out var consumed);
        text = text[consumed..];
        return rune == DottedCapitalI ? new Rune('i') : Rune.ToLowerInvariant(rune);
    }
}
