using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;

namespace DbSync.EntityFrameworkCore.Modeling;

/// <summary>
/// NodaTime's types as the .NET types whose stored form they share, so that they are read, compared and sorted alike. By name, since an application
/// without NodaTime has no use for it.
/// </summary>
internal static class NodaTimeConverters
{
    /// <summary>The converter of a type for a PostgreSQL type; null when there is none.</summary>
    public static ValueConverter? Find(Type clr, string pgType) => (clr.FullName, pgType) switch
    {
        ("NodaTime.Instant", "timestamp with time zone") => Make<DateTime>(clr, "ToDateTimeUtc", "FromDateTimeUtc").ComposeWith(new UtcDateTimeConverter()),
        ("NodaTime.LocalDateTime", "timestamp without time zone") => Make<DateTime>(clr, "ToDateTimeUnspecified", "FromDateTime").ComposeWith(new PlainDateTimeConverter()),
        ("NodaTime.LocalDate", "date") => Make<DateOnly>(clr, "ToDateOnly", "FromDateOnly").ComposeWith(new FiniteDateConverter()),
        ("NodaTime.LocalTime", "time without time zone") => Make<TimeOnly>(clr, "ToTimeOnly", "FromTimeOnly"),
        _ => null,
    };

    private static ValueConverter Make<TStored>(Type clr, string to, string from)
    {
        var value = Expression.Parameter(clr);
        var stored = Expression.Parameter(typeof(TStored));
        var write = Expression.Lambda(Expression.Call(value, clr.GetMethod(to, Type.EmptyTypes)!), value);
        var read = Expression.Lambda(Expression.Call(clr.GetMethod(from, [typeof(TStored)])!, stored), stored);
        return (ValueConverter)Activator.CreateInstance(typeof(Converter<,>).MakeGenericType(clr, typeof(TStored)), write.Compile(), read)!;
    }

    private sealed class Converter<T, TStored>(Func<T, TStored> write, Expression<Func<TStored, T>> read) : ValueConverter<T, TStored>(value => Write(write, value), read)
    {
        private static TStored Write(Func<T, TStored> write, T value)
        {
            try
            {
                return write(value);
            }
            catch (InvalidOperationException exception)
            {
                throw new NotSupportedException("Only Npgsql can say what this value means.", exception); // beyond .NET's calendar: infinity, say
            }
        }
    }
}
