using DbSync.Locking;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Storage;

namespace DbSync.EntityFrameworkCore.Locking;

/// <summary>
/// A column's value as a part of a lock key: as PostgreSQL will store it, converters and rounding applied, so that values that end up equal in the
/// table are one key.
/// </summary>
internal static class ColumnKeyEncoder
{
    private const int TicksPerMicrosecond = 10;
    private const int MicrosecondDigits = 6;

    // The collations whose order is that of the UTF-8 bytes.
    private static readonly string[] ByteOrdered = ["C", "POSIX", "C.UTF-8", "C.UTF8", "ucs_basic", "pg_c_utf8"];

    /// <exception cref="DbSyncException">DBS6013: a type without a key encoding, or a null.</exception>
    public static RangeKey Encode(IProperty column, object? value)
    {
        var mapping = column.GetRelationalTypeMapping();
        if (value is not null && mapping.Converter is { } converter) value = converter.ConvertToProvider(value);
        return value switch
        {
            null => throw Unusable(column, "null can't be locked", "Lock the whole table with LockAllAsync, or a key that has a value."),
            bool flag => flag ? 1 : 0,
            sbyte or byte or short or ushort or int or uint or long => Convert.ToInt64(value),
            ulong big => RangeKey.From((decimal)big),
            decimal number => mapping.Scale is { } scale ? decimal.Round(number, scale, MidpointRounding.AwayFromZero) : number,
            Guid id => id,
            byte[] bytes => bytes,
            char letter => Text(mapping, column, letter.ToString()),
            string text => Text(mapping, column, text),
            DateOnly day => day.ToDateTime(TimeOnly.MinValue, DateTimeKind.Unspecified),
            DateTimeOffset moment => Stored(mapping, moment.UtcDateTime),
            DateTime moment => Time(mapping, column, moment),
            _ => throw Unusable(column, $"{mapping.StoreType} has no key encoding", "Lock by another column, or make keys of your own with RangeKey and IRangeLockManager."),
        };
    }

    /// <summary>A range of texts is a range of the column only where PostgreSQL sorts it by bytes.</summary>
    /// <exception cref="DbSyncException">DBS6013: the column's collation may sort otherwise.</exception>
    public static void RequireOrder(IProperty column, Func<IModel> designed)
    {
        if (column.GetRelationalTypeMapping() is not { Converter: var converter } mapping || (converter?.ProviderClrType ?? mapping.ClrType) is not { } type
            || (type != typeof(string) && type != typeof(char))) return;
        var model = designed();
        var collation = model.FindEntityType(column.DeclaringType.Name)?.FindProperty(column.Name)?.GetCollation() ?? model.GetCollation();
        if (collation is null || !ByteOrdered.Contains(collation, StringComparer.OrdinalIgnoreCase))
            throw Unusable(column, "a range of texts is in the order of their bytes, and the column may be sorted otherwise",
                "Map it with UseCollation(\"C\") if that is its collation; else lock single keys or the whole table.");
    }

    private static RangeKey Text(RelationalTypeMapping mapping, IProperty column, string text) => mapping.StoreTypeNameBase switch
    {
        "citext" => throw Unusable(column, "texts that differ in case are one value of citext", "Lock by another column, or the whole table."),
        "character" or "char" or "bpchar" => text.TrimEnd(' '), // PostgreSQL ignores what pads them
        _ => text,
    };

    private static RangeKey Time(RelationalTypeMapping mapping, IProperty column, DateTime moment)
    {
        if (mapping.StoreType == "date") return DateTime.SpecifyKind(moment.Date, DateTimeKind.Unspecified);
        if (!mapping.StoreType.Contains("with time zone", StringComparison.Ordinal)) return Stored(mapping, DateTime.SpecifyKind(moment, DateTimeKind.Unspecified));
        if (moment.Kind == DateTimeKind.Unspecified)
            throw Unusable(column, "a DateTime without a kind is no instant", "Give it with DateTimeKind.Utc, as Npgsql asks for.");
        return Stored(mapping, moment.ToUniversalTime());
    }

    // Microseconds, or fewer digits where the column has fewer.
    private static RangeKey Stored(RelationalTypeMapping mapping, DateTime moment)
    {
        var ticks = moment.Ticks - (moment.Ticks % TicksPerMicrosecond);
        long unit = TicksPerMicrosecond;
        for (var digits = mapping.Precision ?? MicrosecondDigits; digits < MicrosecondDigits; digits++) unit *= 10;
        ticks = (ticks + (unit > TicksPerMicrosecond ? unit / 2 : 0)) / unit * unit;
        return new DateTime(Math.Min(ticks, DateTime.MaxValue.Ticks), moment.Kind);
    }

    private static DbSyncException Unusable(IProperty column, string why, string fix) =>
        new(ErrorCodes.LockKeyUnusable, $"{column.DeclaringType.ShortName()}.{column.Name} can't be the key of a lock: {why}.", fix);
}
