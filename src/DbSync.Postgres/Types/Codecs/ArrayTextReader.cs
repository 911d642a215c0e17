using System.Buffers;

namespace DbSync.Postgres.Types.Codecs;

/// <summary>
/// Reads the elements of a one-dimensional array from PostgreSQL's text form <c>{a,"b c",NULL}</c>.
/// Source: PostgreSQL manual, "Array Input and Output Syntax".
/// </summary>
internal ref struct ArrayTextReader(ReadOnlySpan<byte> wire, ArrayBufferWriter<byte> unescaped)
{
    private readonly ReadOnlySpan<byte> _wire = wire;
    private int _position = 1;

    /// <summary>The element read last; meaningless if it was NULL.</summary>
    public ReadOnlySpan<byte> Element { get; private set; }

    public bool IsNull { get; private set; }

    /// <summary>False for more dimensions than one and for a lower bound other than 1: EF's collections have neither.</summary>
    public static bool IsPlain(ReadOnlySpan<byte> wire)
    {
        MalformedValue.ThrowUnless(wire.Length >= 2 && wire[0] is (byte)'{' or (byte)'[' && wire[^1] == '}', "array", wire);
        return wire[0] == '{' && wire[1] != '{';
    }

    public bool Read()
    {
        if (_position == _wire.Length - 1 && _position == 1) return false;
        if (_position == _wire.Length) return false;
        if (_wire[_position] == '"') ReadQuoted();
        else ReadBare();
        MalformedValue.ThrowUnless(
            _position < _wire.Length && _wire[_position] == (_position == _wire.Length - 1 ? '}' : ','), "array", _wire);
        _position++;
        return true;
    }

    private void ReadBare()
    {
        var length = _wire[_position..].IndexOfAny((byte)',', (byte)'}');
        MalformedValue.ThrowUnless(length > 0, "array", _wire);
        Element = _wire.Slice(_position, length);
        MalformedValue.ThrowUnless(Element.IndexOfAny((byte)'"', (byte)'\\', (byte)'{') < 0, "array", _wire);
        IsNull = Element.SequenceEqual("NULL"u8);
        _position += length;
    }

    private void ReadQuoted()
    {
        IsNull = false;
        unescaped.ResetWrittenCount();
        _position++;
        while (true)
        {
            var rest = _wire[_position..];
            var length = rest.IndexOfAny((byte)'"', (byte)'\\');
            MalformedValue.ThrowUnless(length >= 0 && length + 1 < rest.Length, "array", _wire);
            unescaped.Write(rest[..length]);
            _position += length + 1;
            if (rest[length] == '"') break;
            unescaped.Write(rest.Slice(length + 1, 1));
            _position++;
        }
        Element = unescaped.WrittenSpan;
    }
}
