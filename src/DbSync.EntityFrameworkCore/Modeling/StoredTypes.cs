using System.Collections.Frozen;
using System.Net;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;

namespace DbSync.EntityFrameworkCore.Modeling;

/// <summary>
/// How a value that Npgsql reads from a PostgreSQL type is read from its stored form: by EF Core's SQLite provider as it is, or through a
/// converter. A pair that isn't here is read by the primary only.
/// </summary>
internal static class StoredTypes
{
    private static readonly FrozenDictionary<(Type Clr, string Pg), ValueConverter?> Pairs = new Dictionary<(Type, string), ValueConverter?>
    {
        [(typeof(bool), "boolean")] = null,
        [(typeof(short), "smallint")] = null,
        [(typeof(int), "integer")] = null,
        [(typeof(long), "bigint")] = null,
        [(typeof(uint), "oid")] = null,
        [(typeof(float), "real")] = null,
        [(typeof(double), "double precision")] = null,
        [(typeof(decimal), "numeric")] = null,
        [(typeof(Guid), "uuid")] = null,
        [(typeof(byte[]), "bytea")] = null,
        [(typeof(string), "text")] = null,
        [(typeof(string), "character varying")] = null,
        [(typeof(string), "character")] = null,
        [(typeof(string), "citext")] = null,
        [(typeof(string), "json")] = null,
        [(typeof(string), "jsonb")] = null,
        [(typeof(string), "xml")] = null,
        [(typeof(DateTime), "timestamp with time zone")] = new UtcDateTimeConverter(),
        [(typeof(DateTime), "timestamp without time zone")] = new PlainDateTimeConverter(),
        [(typeof(DateTimeOffset), "timestamp with time zone")] = new UtcOffsetConverter(),
        [(typeof(DateOnly), "date")] = new FiniteDateConverter(),
        [(typeof(TimeOnly), "time without time zone")] = new MicrosecondTimeConverter(),
        [(typeof(TimeSpan), "interval")] = new MicrosecondSpanConverter(),
        [(typeof(IPAddress), "inet")] = new IPAddressToStringConverter(),
    }.ToFrozenDictionary();

    private static readonly FrozenSet<(Type Element, string Pg)> Arrays = new HashSet<(Type, string)>
    {
        (typeof(int), "integer[]"), (typeof(long), "bigint[]"), (typeof(short), "smallint[]"), (typeof(string), "text[]"),
        (typeof(string), "character varying[]"), (typeof(bool), "boolean[]"), (typeof(Guid), "uuid[]"),
    }.ToFrozenSet();

    /// <summary>True when the pair is read alike; <paramref name="converter"/> then is what has to be added, if anything.</summary>
    public static bool TryFind(Type clr, string pgType, out ValueConverter? converter)
    {
        var plain = Nullable.GetUnderlyingType(clr) ?? clr;
        return Pairs.TryGetValue((plain, pgType), out converter) || (converter = NodaTimeConverters.Find(plain, pgType)) is not null;
    }

    /// <summary>False for a parameter that SQLite would change: half a pair of surrogates, or NaN.</summary>
    public static bool CanBind(object? value) => value switch
    {
        string text => IsEncodable(text),
        double number => !double.IsNaN(number),
        float number => !float.IsNaN(number),
        IReadOnlyCollection<string?> texts => texts.All(t => t is null || IsEncodable(t)),
        IReadOnlyCollection<double> numbers => !numbers.Any(double.IsNaN),
        IReadOnlyCollection<double?> numbers => !numbers.Any(n => n is { } number && double.IsNaN(number)),
        IReadOnlyCollection<float> numbers => !numbers.Any(float.IsNaN),
        IReadOnlyCollection<float?> numbers => !numbers.Any(n => n is { } number && float.IsNaN(number)),
        _ => true,
    };

    /// <summary>False for text with half a pair of surrogates, which Npgsql refuses, and of which SQLite would make another letter.</summary>
    public static bool IsEncodable(string text)
    {
        for (var place = text.AsSpan().IndexOfAnyInRange('\ud800', '\udfff'); place >= 0 && place < text.Length; place++)
        {
            if (!char.IsSurrogate(text[place])) continue;
            if (place + 1 >= text.Length || !char.IsSurrogatePair(text[place], text[place + 1])) return false;
            place++;
        }
        return true;
    }

    /// <summary>True when arrays of this element are read alike.</summary>
    public static bool IsReadableArray(Type element, string pgType) => Arrays.Contains((element, pgType));
}
