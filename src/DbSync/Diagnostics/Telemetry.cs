using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace DbSync;

/// <summary>The one meter and the one activity source of all rooms, both named <c>DbSync</c>.</summary>
internal static class Telemetry
{
    public const string Name = "DbSync";

    public static readonly Meter Meter = new(Name);

    public static readonly ActivitySource Activities = new(Name);
}
