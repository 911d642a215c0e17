using System.Collections;
using System.Data.Common;
using System.Globalization;
using Microsoft.EntityFrameworkCore.Sqlite.Storage.Internal;
using Microsoft.EntityFrameworkCore.Storage;

namespace DbSync.EntityFrameworkCore.Modeling;

/// <summary>
/// Adds to the SQLite provider's mappings: decimals whose parameters keep their scale, as Npgsql sends them, and a stand-in for types that only
/// Npgsql knows, so that the model can be built; whatever touches such a column goes to the primary.
/// </summary>
internal sealed class ReplicaTypeMappings(MainTypeMappings main) : IRelationalTypeMappingSourcePlugin
{
    private static readonly HashSet<Type> Known =
    [
        typeof(bool), typeof(byte), typeof(sbyte), typeof(short), typeof(ushort), typeof(int), typeof(uint), typeof(long), typeof(ulong), typeof(float),
        typeof(double), typeof(char), typeof(string), typeof(Guid), typeof(byte[]), typeof(DateTime), typeof(DateTimeOffset), typeof(DateOnly),
        typeof(TimeOnly), typeof(TimeSpan), typeof(Uri), typeof(System.Net.IPAddress), typeof(object), typeof(JsonTypePlaceholder),
    ];

    public RelationalTypeMapping? FindMapping(in RelationalTypeMappingInfo mappingInfo)
    {
        if (mappingInfo.ClrType is not { } clr) return null;
        var type = Nullable.GetUnderlyingType(clr) ?? clr;
        if (type == typeof(decimal)) return DecimalMapping.Instance;
        if (type.IsEnum || Known.Contains(type)) return null;
        var isCollection = mappingInfo.ElementTypeMapping is not null || type.IsArray || (type.IsGenericType && type.IsAssignableTo(typeof(IEnumerable)));
        return !isCollection && main.Source.FindMapping(type) is not null ? new PrimaryOnlyMapping(type) : null;
    }

    private sealed class DecimalMapping : SqliteDecimalTypeMapping
    {
        public static readonly DecimalMapping Instance = new();

        private DecimalMapping()
            : base("TEXT")
        {
        }

        private DecimalMapping(RelationalTypeMappingParameters parameters)
            : base(parameters)
        {
        }

        protected override RelationalTypeMapping Clone(RelationalTypeMappingParameters parameters) => new DecimalMapping(parameters);

        protected override void ConfigureParameter(DbParameter parameter)
        {
            base.ConfigureParameter(parameter);
            if (parameter.Value is decimal value) parameter.Value = value.ToString(CultureInfo.InvariantCulture);
        }
    }

    private sealed class PrimaryOnlyMapping : RelationalTypeMapping
    {
        public PrimaryOnlyMapping(Type type)
            : base("TEXT", type)
        {
        }

        private PrimaryOnlyMapping(RelationalTypeMappingParameters parameters)
            : base(parameters)
        {
        }

        protected override RelationalTypeMapping Clone(RelationalTypeMappingParameters parameters) => new PrimaryOnlyMapping(parameters);
    }
}

/// <summary>The main context's type mappings, for the replica's services.</summary>
internal sealed record MainTypeMappings(IRelationalTypeMappingSource Source);
