using System.Buffers;
using System.Runtime.InteropServices;

namespace DbSync;

/// <summary>
/// <c>hash_numeric_extended</c> of a number in PostgreSQL's text form. PostgreSQL hashes the digits to base 10,000, without zero digits at
/// either end, and mixes in the weight of the first; sign and scale don't count, so 1.0 and 1.00 hash alike.
/// </summary>
/// <remarks>
/// Source: PostgreSQL, src/backend/utils/adt/numeric.c. A number has up to 147,455 digits, so it is hashed as it is read.
/// </remarks>
[StructLayout(LayoutKind.Auto)]
internal readonly ref struct NumericHash
{
    /// <summary>Decimal digits in one digit of PostgreSQL's.</summary>
    private const int DecimalsPerDigit = 4;

    private static readonly SearchValues<byte> Decimals = SearchValues.Create("0123456789."u8);

    private readonly ReadOnlySpan<byte> _whole;
    private readonly ReadOnlySpan<byte> _fraction;

    private NumericHash(ReadOnlySpan<byte> unsigned)
    {
        var point = unsigned.IndexOf((byte)'.');
        _whole = point < 0 ? unsigned : unsigned[..point];
        _fraction = point < 0 ? default : unsigned[(point + 1)..];
    }

    public static ulong Of(ReadOnlySpan<byte> text, ulong seed)
    {
        // NaN and the infinities all hash to the seed, zero to the seed less one.
        if (text.SequenceEqual("NaN"u8) || text.SequenceEqual("Infinity"u8) || text.SequenceEqual("-Infinity"u8)) return seed;
        if (text.Length > 0 && text[0] == '-') text = text[1..];
        if (text.IsEmpty || text.ContainsAnyExcept(Decimals)) throw ShardKeyText.Malformed(HashKind.Numeric);
        return new NumericHash(text).Compute(seed);
    }

    private ulong Compute(ulong seed)
    {
        if (FirstWeight() is not { } first) return seed - 1;
        var last = LastWeight();
        var left = first - last + 1;
        var hash = new Lookup3((uint)left * sizeof(short), seed);
        var weight = first;
        for (; left >= 6; left -= 6, weight -= 6) hash.Round(Pair(weight), Pair(weight - 2), Pair(weight - 4));

        // What lies behind the last digit is zero, so no tail needs a case of its own, except that the third word starts one byte higher.
        var digits = hash.Finish(Pair(weight), Pair(weight - 2), Pair(weight - 4) << 8);
        return digits ^ (ulong)(long)first;
    }

    /// <summary>The weight (power of 10,000) of the first digit that isn't zero; null when all are.</summary>
    private int? FirstWeight()
    {
        var at = _whole.IndexOfAnyExcept((byte)'0');
        if (at >= 0) return (_whole.Length - 1 - at) / DecimalsPerDigit;
        at = _fraction.IndexOfAnyExcept((byte)'0');
        return at >= 0 ? -1 - (at / DecimalsPerDigit) : null;
    }

    private int LastWeight()
    {
        var at = _fraction.LastIndexOfAnyExcept((byte)'0');
        return at >= 0
            ? -1 - (at / DecimalsPerDigit)
            : (_whole.Length - 1 - _whole.LastIndexOfAnyExcept((byte)'0')) / DecimalsPerDigit;
    }

    /// <summary>Two digits as PostgreSQL has them in memory: 16 bits each, the first one low.</summary>
    private uint Pair(int weight) => Digit(weight) | (Digit(weight - 1) << 16);

    private uint Digit(int weight)
    {
        var digit = 0u;
        if (weight >= 0)
        {
            var end = _whole.Length - (weight * DecimalsPerDigit);
            for (var at = Math.Max(0, end - DecimalsPerDigit); at < end; at++) digit = (digit * 10) + _whole[at] - '0';
            return digit;
        }

        var start = (-1 - weight) * DecimalsPerDigit;
        for (var at = start; at < start + DecimalsPerDigit; at++)
            digit = (digit * 10) + (at < _fraction.Length ? _fraction[at] - (uint)'0' : 0);
        return digit;
    }
}
