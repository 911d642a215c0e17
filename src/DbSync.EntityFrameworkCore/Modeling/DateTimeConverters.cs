using Microsoft.EntityFrameworkCore.Storage.ValueConversion;

namespace DbSync.EntityFrameworkCore.Modeling;

/// <summary>timestamptz as a DateTime: UTC in both directions. What Npgsql refuses is refused here too, so that the primary can say so.</summary>
internal sealed class UtcDateTimeConverter() : ValueConverter<DateTime, DateTime>(
    value => Instants.ToStored(value, DateTimeKind.Utc),
    stored => DateTime.SpecifyKind(stored, DateTimeKind.Utc));

/// <summary>timestamp as a DateTime: no kind.</summary>
internal sealed class PlainDateTimeConverter() : ValueConverter<DateTime, DateTime>(
    value => Instants.ToStored(value, DateTimeKind.Unspecified),
    stored => stored);

/// <summary>timestamptz as a DateTimeOffset with offset zero; as a DateTime in UTC it can be compared and sorted.</summary>
internal sealed class UtcOffsetConverter() : ValueConverter<DateTimeOffset, DateTime>(
    value => Instants.ToStored(value),
    stored => new DateTimeOffset(DateTime.SpecifyKind(stored, DateTimeKind.Utc)));

/// <summary>date as a DateOnly, but for the first and the last, which are Npgsql's -infinity and infinity in a parameter.</summary>
internal sealed class FiniteDateConverter() : ValueConverter<DateOnly, DateOnly>(
    value => Instants.ToStored(value),
    stored => stored);

/// <summary>time as a TimeOnly.</summary>
internal sealed class MicrosecondTimeConverter() : ValueConverter<TimeOnly, TimeOnly>(
    value => new TimeOnly(value.Ticks - value.Ticks % TimeSpan.TicksPerMicrosecond),
    stored => stored);

/// <summary>interval as a TimeSpan, in ticks.</summary>
internal sealed class MicrosecondSpanConverter() : ValueConverter<TimeSpan, long>(
    value => value.Ticks - value.Ticks % TimeSpan.TicksPerMicrosecond,
    stored => new TimeSpan(stored));

/// <summary>What Npgsql does to a parameter: it checks the kind and drops what is finer than a microsecond.</summary>
internal static class Instants
{
    public static DateTime ToStored(DateTime value, DateTimeKind kind)
    {
        // DateTime.MinValue and MaxValue are Npgsql's -infinity and infinity, which no stored text equals.
        var accepted = kind == DateTimeKind.Utc ? value.Kind == DateTimeKind.Utc : value.Kind != DateTimeKind.Utc;
        if (!accepted || value == DateTime.MinValue || value == DateTime.MaxValue) throw new NotSupportedException("Only Npgsql can say what this DateTime means.");
        return DateTime.SpecifyKind(new DateTime(value.Ticks - value.Ticks % TimeSpan.TicksPerMicrosecond), DateTimeKind.Unspecified);
    }

    public static DateOnly ToStored(DateOnly value) =>
        value != DateOnly.MinValue && value != DateOnly.MaxValue ? value : throw new NotSupportedException("Only Npgsql can say what this DateOnly means.");

    public static DateTime ToStored(DateTimeOffset value) =>
        value.Offset == TimeSpan.Zero ? ToStored(value.UtcDateTime, DateTimeKind.Utc) : throw new NotSupportedException("Npgsql takes UTC only.");
}
