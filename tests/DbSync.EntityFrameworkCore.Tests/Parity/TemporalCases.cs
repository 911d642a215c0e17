using DbSync.EntityFrameworkCore.Tests.Shop;
using Microsoft.EntityFrameworkCore;
using static DbSync.EntityFrameworkCore.Tests.Parity.ParityCase;

namespace DbSync.EntityFrameworkCore.Tests.Parity;

/// <summary>Arithmetic, parts and comparisons of times at their edges: microseconds, years 1 and 9999, before 1970, leap days, kinds and infinities.</summary>
internal static class TemporalCases
{
    private static readonly DateTime Moment = new(2024, 2, 29, 23, 59, 59, DateTimeKind.Utc);
    private static readonly DateTime Early = new(1, 1, 1, 0, 0, 1, DateTimeKind.Utc);
    private static readonly DateTime Late = new(9999, 12, 31, 23, 59, 59, DateTimeKind.Utc);
    private static readonly DateTime Here = new(2024, 2, 29, 23, 59, 59, DateTimeKind.Local);
    private static readonly DateTime Plain = new(2000, 1, 1, 0, 0, 0, 0, 1, DateTimeKind.Unspecified);
    private static readonly DateTimeOffset Elsewhere = new(2024, 3, 1, 1, 59, 59, TimeSpan.FromHours(2));
    private static readonly DateTimeOffset Offset = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly DateOnly Day = new(1970, 1, 1);
    private static readonly TimeOnly Noon = new(12, 30, 15);
    private static readonly TimeSpan Hours = TimeSpan.FromHours(36);

    private static DateTime Never { get; } = DateTime.MaxValue;

    private static DateTime NeverUtc { get; } = DateTime.SpecifyKind(DateTime.MaxValue, DateTimeKind.Utc);

    private static DateTime Always { get; } = DateTime.MinValue;

    private static DateOnly LastDay { get; } = DateOnly.MaxValue;

    private static DateOnly FirstDay { get; } = DateOnly.MinValue;

    private static TimeSpan Longest { get; } = TimeSpan.MaxValue;

    public static IEnumerable<ParityCase> All =>
    [
        // parts
        Pick(s => s.At.Year),
        Pick(s => s.At.Month),
        Pick(s => s.At.Day),
        Pick(s => s.At.Hour),
        Pick(s => s.At.Minute),
        Pick(s => s.At.Second),
        Pick(s => s.At.DayOfYear),
        Pick(s => s.At.DayOfWeek),
        Pick(s => s.At.Date),
        Pick(s => s.At.Millisecond).To(RouteReason.NotAlike),
        Pick(s => s.At.Microsecond),
        Pick(s => s.At.Ticks).To(RouteReason.NotAlike),
        Pick(s => s.At.TimeOfDay).To(RouteReason.NotAlike),
        Pick(s => s.At.Kind).To(RouteReason.NotAlike),
        Pick(s => s.At.ToString()).To(RouteReason.NotAlike),
        Pick(s => s.At.ToLocalTime()).To(RouteReason.NotAlike),
        Pick(s => s.At.ToUniversalTime()).To(RouteReason.NotAlike),
        Pick(s => new { s.Local!.Value.Year, s.Local.Value.Month, s.Local.Value.Day }),
        Pick(s => s.Local!.Value.Second),
        Pick(s => s.Local!.Value.Date),
        Pick(s => (DateTime?)s.Local!.Value.Date),
        Pick(s => (int?)s.Local!.Value.Second),
        Pick(s => (int?)s.Local!.Value.DayOfYear),
        Pick(s => (DayOfWeek?)s.Local!.Value.DayOfWeek),
        Pick(s => (int?)s.Day!.Value.Year),
        Pick(s => (int?)s.Day!.Value.DayOfYear),
        Pick(s => (DayOfWeek?)s.Day!.Value.DayOfWeek),
        Pick(s => s.Day!.Value.DayNumber).To(RouteReason.NotAlike),
        Pick(s => s.Offset!.Value.Year).To(RouteReason.NotAlike),
        Pick(s => s.Offset!.Value.DateTime).To(RouteReason.NotAlike),
        Pick(s => s.Offset!.Value.UtcDateTime).To(RouteReason.NotAlike),
        Pick(s => s.Time.Millisecond),
        Pick(s => s.Span.Days).To(RouteReason.NotAlike),
        WhereSample(s => s.At.Second == 59),
        WhereSample(s => s.At.Second == 60),
        WhereSample(s => s.At.Year < 1970),
        WhereSample(s => s.At.Year == 9999 || s.At.Year == 1),
        WhereSample(s => s.At.Date == Day.ToDateTime(TimeOnly.MinValue, DateTimeKind.Utc)),
        WhereSample(s => s.At.Date == s.At),
        WhereSample(s => s.At.DayOfYear == 366 || s.At.DayOfYear == 365),
        WhereSample(s => s.At.Microsecond == 1).To(RouteReason.NotTranslatable),
        WhereSample(s => s.Time.Millisecond == 100).To(RouteReason.NotTranslatable),
        WhereSample(s => s.Time.ToTimeSpan() > Hours).To(RouteReason.NotTranslatable),
        WhereSample(s => TimeOnly.FromDateTime(s.At) > Noon).To(RouteReason.NotTranslatable),
        Pick(s => (TimeOnly?)TimeOnly.FromDateTime(s.Local!.Value)).To(RouteReason.NotAlike),
        WhereSample(s => s.At.Hour * 60 + s.At.Minute > 700),

        // whole values
        Pick(s => s.At),
        Pick(s => s.Local),
        Pick(s => s.Offset),
        Pick(s => s.Day),
        Pick(s => s.Time),
        Pick(s => s.Span),
        Any(db => db.Oddities.OrderBy(s => s.Id).Select(s => s.Until).ToList()).To(RouteReason.PrimaryOnlyColumn),
        Any(db => db.Oddities.Count(s => s.Until > Moment)).To(RouteReason.PrimaryOnlyColumn),
        Any(db => db.Oddities.Max(s => s.Until)).To(RouteReason.PrimaryOnlyColumn),
        Any(db => db.Samples.Min(s => s.At)),
        Any(db => db.Samples.Max(s => s.At)),
        Any(db => db.Samples.Max(s => s.Local)),
        Any(db => db.Samples.Min(s => s.Offset)),
        Any(db => db.Samples.Min(s => s.Day)),
        Any(db => db.Samples.Max(s => s.Time)),
        Any(db => db.Samples.Min(s => s.Span)),
        Any(db => db.Samples.OrderBy(s => s.At).ThenBy(s => s.Id).Select(s => s.Id).ToList()),
        Any(db => db.Samples.OrderByDescending(s => s.Local).ThenBy(s => s.Id).Select(s => s.Id).ToList()),
        Any(db => db.Samples.OrderBy(s => s.Offset).ThenBy(s => s.Id).Select(s => s.Id).ToList()),
        Any(db => db.Samples.OrderByDescending(s => s.Day).ThenBy(s => s.Id).Select(s => s.Id).ToList()),
        Any(db => db.Samples.OrderBy(s => s.Time).ThenBy(s => s.Id).Select(s => s.Id).ToList()),
        Any(db => db.Samples.OrderBy(s => s.Span).ThenBy(s => s.Id).Select(s => s.Id).ToList()),
        Any(db => Unordered(db.Samples.GroupBy(s => s.At).Select(g => new { g.Key, n = g.Count() }))),
        Any(db => Unordered(db.Samples.GroupBy(s => s.At.Date).Select(g => new { g.Key, n = g.Count() }))),
        Any(db => Unordered(db.Samples.GroupBy(s => new { s.At.Year, s.At.Month }).Select(g => new { g.Key, n = g.Count() }))),
        Any(db => Unordered(db.Samples.GroupBy(s => s.Local).Select(g => new { g.Key, n = g.Count() }))),
        Any(db => Unordered(db.Samples.GroupBy(s => s.Time).Select(g => new { g.Key, n = g.Count() }))),
        Any(db => Unordered(db.Samples.Select(s => s.Span).Distinct())),
        Any(db => Unordered(db.Samples.Select(s => s.Offset).Distinct())),

        // comparisons
        WhereSample(s => s.At < Moment),
        WhereSample(s => s.At <= Early),
        WhereSample(s => s.At >= Late),
        WhereSample(s => s.At > Early && s.At < Late),
        WhereSample(s => s.At == Plain).Fails(),
        WhereSample(s => s.At > Here).Fails(),
        WhereSample(s => s.At < Never).Fails(),
        WhereSample(s => s.At < NeverUtc).Fails(),
        WhereSample(s => s.At > Always).Fails(),
        WhereSample(s => s.Local < Never).Fails(),
        WhereSample(s => s.Local == Plain),
        WhereSample(s => s.Local > Moment).Fails(),
        WhereSample(s => s.Local != Plain),
        WhereSample(s => s.Local == s.At).To(RouteReason.NotAlike),
        WhereSample(s => s.Offset > Offset),
        WhereSample(s => s.Offset == Elsewhere).Fails(),
        WhereSample(s => s.Day > Day),
        WhereSample(s => s.Day < LastDay).Fails(),
        WhereSample(s => s.Day > FirstDay).Fails(),
        WhereSample(s => s.Day == DateOnly.MaxValue).Fails(),
        WhereSample(s => s.Time >= Noon),
        WhereSample(s => s.Time == new TimeOnly(23, 59, 59, 999, 999)),
        WhereSample(s => s.Time < TimeOnly.MaxValue),
        WhereSample(s => s.Time.IsBetween(Noon, TimeOnly.MaxValue)).To(RouteReason.NotAlike),
        WhereSample(s => s.Span > Hours),
        WhereSample(s => s.Span < TimeSpan.Zero),
        WhereSample(s => s.Span == TimeSpan.FromMicroseconds(1)),
        WhereSample(s => s.Span < Longest),
        WhereSample(s => s.At == new DateTime(2000, 1, 1, 0, 0, 0, 0, 1, DateTimeKind.Utc)),
        WhereSample(s => s.At > new DateTime(1969, 12, 31, 23, 59, 59, 500, DateTimeKind.Utc)),

        // arithmetic
        Pick(s => s.At.AddDays(1)).To(RouteReason.NotAlike),
        Pick(s => s.At.AddMonths(1)).To(RouteReason.NotAlike),
        Pick(s => s.At.AddYears(-1)).To(RouteReason.NotAlike),
        Pick(s => s.At.AddHours(1.5)).To(RouteReason.NotAlike),
        Pick(s => s.At.AddMinutes(s.Id)).To(RouteReason.NotAlike),
        Pick(s => s.At.AddSeconds(0.5)).To(RouteReason.NotAlike),
        Pick(s => s.At.AddMilliseconds(1)).To(RouteReason.NotAlike),
        Pick(s => s.At.AddTicks(1)).To(RouteReason.NotAlike),
        Pick(s => s.At.Add(Hours)).To(RouteReason.NotAlike),
        Pick(s => s.At + s.Span).To(RouteReason.NotAlike),
        Pick(s => s.At - s.Span).To(RouteReason.NotAlike),
        Pick(s => s.At - Moment).To(RouteReason.NotAlike),
        Pick(s => s.Offset + Hours).To(RouteReason.NotAlike),
        Pick(s => s.Offset!.Value.AddDays(1)).To(RouteReason.NotAlike),
        Pick(s => s.Day!.Value.AddDays(1)).To(RouteReason.NotAlike),
        Pick(s => s.Day!.Value.AddMonths(1)).To(RouteReason.NotAlike),
        Pick(s => s.Day!.Value.ToDateTime(Noon)).To(RouteReason.NotAlike),
        Pick(s => DateOnly.FromDateTime(s.At)),
        Pick(s => (DateOnly?)DateOnly.FromDateTime(s.Local!.Value)),
        Pick(s => TimeOnly.FromDateTime(s.At)),
        Pick(s => s.Time.AddHours(1)).To(RouteReason.NotAlike),
        Pick(s => s.Time - Noon).To(RouteReason.NotAlike),
        Pick(s => s.Time.ToTimeSpan()),
        Pick(s => s.Span + Hours).To(RouteReason.NotAlike),
        Pick(s => -s.Span),
        Pick(s => s.Span * 2).To(RouteReason.NotAlike),
        WhereSample(s => s.At.AddDays(1) > Moment).To(RouteReason.NotAlike),
        WhereSample(s => s.At - Moment > Hours).To(RouteReason.NotAlike),
        WhereSample(s => s.Span + s.Span > Hours).To(RouteReason.NotAlike),
        WhereSample(s => s.At < DateTime.Now).To(RouteReason.NotAlike),
        WhereSample(s => s.At < DateTime.Today).To(RouteReason.NotAlike),
        WhereSample(s => s.Offset < DateTimeOffset.UtcNow).To(RouteReason.NotAlike),
        WhereSample(s => s.Offset < DateTimeOffset.Now).To(RouteReason.NotAlike),
        Any(db => db.Samples.Sum(s => s.Span.Ticks)).To(RouteReason.NotAlike),
        Any(db => db.Samples.Average(s => s.At.Hour)),
        Any(db => db.Samples.Sum(s => s.At.Minute)),
        Any(db => db.Samples.Max(s => s.At.Year)),
        Any(db => db.Samples.Select(s => s.At.Date).Distinct().Count()),
        Any(db => db.Samples.OrderBy(s => s.At.Date).ThenByDescending(s => s.At.Second).ThenBy(s => s.Id).Select(s => s.Id).ToList()),
        Pick(s => s.Local ?? Plain).To(RouteReason.NotAlike),
        Pick(s => s.Id > 5 ? s.At : Moment).To(RouteReason.NotAlike),
        Pick(s => s.Local == null ? (DateTime?)null : s.Local.Value.Date),
        WhereSample(s => (s.Local ?? Plain) == Plain),
        WhereSample(s => (s.Id > 5 ? s.At : Late) == Late),
        WhereSample(s => new DateOnly?[] { Day, null }.Contains(s.Day)),
        WhereSample(s => new[] { Noon, TimeOnly.MinValue }.Contains(s.Time)),
        WhereSample(s => new[] { Hours, TimeSpan.Zero }.Contains(s.Span)),
    ];
}
