using System.Collections.Frozen;

namespace DbSync.EntityFrameworkCore.Modeling;

/// <summary>The names of PostgreSQL's types as <c>format_type</c> prints them, without modifiers: models and catalogs use several for one type.</summary>
internal static class PgTypeName
{
    public const string Enum = "enum";

    private static readonly FrozenDictionary<string, string> Canonical = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase)
    {
        ["int2"] = "smallint", ["int4"] = "integer", ["int"] = "integer", ["int8"] = "bigint", ["serial"] = "integer", ["bigserial"] = "bigint",
        ["smallserial"] = "smallint", ["float4"] = "real", ["float8"] = "double precision", ["decimal"] = "numeric", ["bool"] = "boolean",
        ["varchar"] = "character varying", ["char"] = "character", ["bpchar"] = "character",
        ["timestamptz"] = "timestamp with time zone", ["timestamp"] = "timestamp without time zone",
        ["timetz"] = "time with time zone", ["time"] = "time without time zone",
    }.ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);

    /// <summary>The canonical name of a type as a model or the catalog writes it: <c>varchar(10)[]</c> becomes <c>character varying[]</c>.</summary>
    public static string Of(string storeType)
    {
        var name = storeType.Trim();
        var isArray = name.EndsWith("[]", StringComparison.Ordinal);
        if (isArray) name = name[..^2];
        var open = name.IndexOf('(', StringComparison.Ordinal);
        var close = name.IndexOf(')', StringComparison.Ordinal);
        if (open >= 0 && close > open) name = (name[..open].TrimEnd() + name[(close + 1)..]).Trim();
        name = Canonical.GetValueOrDefault(name, name);
        return isArray ? name + "[]" : name;
    }
}
