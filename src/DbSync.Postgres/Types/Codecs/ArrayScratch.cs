using System.Buffers;

namespace DbSync.Postgres.Types.Codecs;

/// <summary>One thread's working memory for an array, kept from value to value. Arrays don't nest, so one is enough.</summary>
internal sealed class ArrayScratch
{
    private const int StartBytes = 1 << 10;
    private const int KeptBytesMax = 1 << 20;

    [ThreadStatic]
    private static ArrayScratch? _kept;

    public ArrayBufferWriter<byte> Result { get; } = new(StartBytes);

    public ArrayBufferWriter<byte> Unescaped { get; } = new(StartBytes);

    /// <summary>Holds the cell of one element.</summary>
    public ChangeBuffer Element { get; } = new(StartBytes);

    public Cell ElementCell
    {
        get
        {
            var encoded = Element.Written;
            return Cell.Read(ref encoded);
        }
    }

    public static ArrayScratch Rent()
    {
        var scratch = _kept ?? new ArrayScratch();
        _kept = null;
        scratch.Result.ResetWrittenCount();
        return scratch;
    }

    /// <summary>Gives the memory back, unless an unusually long array made it large.</summary>
    public void Return()
    {
        if (Result.Capacity + Unescaped.Capacity + Element.Capacity <= KeptBytesMax) _kept = this;
    }
}
