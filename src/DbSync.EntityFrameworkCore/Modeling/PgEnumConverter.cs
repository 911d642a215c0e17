using Microsoft.EntityFrameworkCore.Storage.ValueConversion;
using Npgsql.EntityFrameworkCore.PostgreSQL.Storage.Internal.Mapping;

namespace DbSync.EntityFrameworkCore.Modeling;

/// <summary>A PostgreSQL enum as its label, by the names that the main model maps.</summary>
internal static class PgEnumConverter
{
    public static ValueConverter Of(NpgsqlEnumTypeMapping mapping) =>
        (ValueConverter)Activator.CreateInstance(typeof(Labels<>).MakeGenericType(mapping.ClrType), mapping.Labels)!;

    private sealed class Labels<TEnum>(Dictionary<TEnum, string> byValue, Dictionary<string, TEnum> byLabel)
        : ValueConverter<TEnum, string>(value => byValue[value], label => byLabel[label])
        where TEnum : struct, Enum
    {
        public Labels(IReadOnlyDictionary<object, string> labels)
            : this(labels.ToDictionary(l => (TEnum)l.Key, l => l.Value), labels.ToDictionary(l => l.Value, l => (TEnum)l.Key, StringComparer.Ordinal))
        {
        }
    }
}
