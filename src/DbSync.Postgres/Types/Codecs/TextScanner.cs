namespace DbSync.Postgres.Types.Codecs;

/// <summary>Reads the fixed text forms of dates, times and money from left to right.</summary>
internal ref struct TextScanner(ReadOnlySpan<byte> text)
{
    private ReadOnlySpan<byte> _rest = text;

    public readonly bool AtEnd => _rest.IsEmpty;

    public bool Skip(char expected)
    {
        if (_rest.IsEmpty || _rest[0] != expected) return false;
        _rest = _rest[1..];
        return true;
    }

    public bool Skip(ReadOnlySpan<byte> expected)
    {
        if (!_rest.StartsWith(expected)) return false;
        _rest = _rest[expected.Length..];
        return true;
    }

    /// <summary>Reads a number of so many digits; at most 18, which fit a long.</summary>
    public bool Digits(int countMin, int countMax, out long value)
    {
        value = 0;
        var count = 0;
        while (count < countMax && count < _rest.Length && (uint)(_rest[count] - '0') <= 9) value = value * 10 + (_rest[count++] - '0');
        _rest = _rest[count..];
        return count >= countMin;
    }

    public bool TwoDigits(int maximum, out int value)
    {
        value = 0;
        if (_rest.Length < 2) return false;
        var tens = (uint)(_rest[0] - '0');
        var ones = (uint)(_rest[1] - '0');
        if (tens > 9 || ones > 9) return false;
        value = (int)(tens * 10 + ones);
        _rest = _rest[2..];
        return value <= maximum;
    }

    /// <summary><c>-MM-dd</c> after a year.</summary>
    public bool MonthAndDay() =>
        Skip('-') && TwoDigits(12, out var month) && month > 0 && Skip('-') && TwoDigits(31, out var day) && day > 0;

    /// <summary><c>:mm:ss</c> and up to six decimals, in microseconds.</summary>
    public bool MinutesAndSeconds(out long microseconds)
    {
        microseconds = 0;
        if (!Skip(':') || !TwoDigits(59, out var minutes) || !Skip(':') || !TwoDigits(60, out var seconds)) return false;
        microseconds = (minutes * 60L + seconds) * 1_000_000;
        if (!Skip('.')) return true;
        var before = _rest.Length;
        if (!Digits(1, 6, out var fraction)) return false;
        for (var digits = before - _rest.Length; digits < 6; digits++) fraction *= 10;
        microseconds += fraction;
        return true;
    }
}
