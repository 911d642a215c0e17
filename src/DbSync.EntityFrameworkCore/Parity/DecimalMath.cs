namespace DbSync.EntityFrameworkCore.Parity;

/// <summary>PostgreSQL's numeric arithmetic where a .NET decimal holds the result exactly, scale included; an overflow elsewhere.</summary>
internal static class DecimalMath
{
    private const int ScaleMax = 28;

    /// <summary>The sum, with the larger of the two scales.</summary>
    /// <exception cref="OverflowException">The result doesn't fit; a decimal would round it.</exception>
    public static decimal Add(decimal left, decimal right) => Exact(left + right, Math.Max(left.Scale, right.Scale));

    /// <summary>The product, with the sum of the two scales.</summary>
    /// <exception cref="OverflowException">The result doesn't fit; a decimal would round it.</exception>
    public static decimal Multiply(decimal left, decimal right) => Exact(left * right, left.Scale + right.Scale);

    private static decimal Exact(decimal result, int scale) => scale <= ScaleMax && (result.Scale == scale || result == 0)
        ? WithScale(result, scale)
        : throw new OverflowException();

    private static decimal WithScale(decimal value, int scale) => value.Scale == scale ? value : new decimal(0, 0, 0, value < 0, (byte)scale);
}
