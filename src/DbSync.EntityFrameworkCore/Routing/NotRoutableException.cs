namespace DbSync.EntityFrameworkCore;

/// <summary>A query shape that the primary must answer. Never leaves the plug-in.</summary>
internal sealed class NotRoutableException(RouteReason reason, string detail) : Exception(detail)
{
    public RouteReason Reason { get; } = reason;
}
