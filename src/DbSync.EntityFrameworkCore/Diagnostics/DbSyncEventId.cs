using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;

namespace DbSync.EntityFrameworkCore;

/// <summary>The events of the plug-in, for <c>ConfigureWarnings</c> and logs. Ids are stable.</summary>
public static class DbSyncEventId
{
    private const int First = 7000;

    /// <summary>A query shape that isn't routed, with the reason; once for each shape. Information.</summary>
    public static readonly EventId QueryFellBack = Make(First + 1, nameof(QueryFellBack));

    /// <summary>In the mode Shadow the replica answered differently. Warning.</summary>
    public static readonly EventId ShadowDiffers = Make(First + 2, nameof(ShadowDiffers));

    private static EventId Make(int id, string name) => new(id, $"{DbLoggerCategory.Query.Name}.DbSync.{name}");
}
