using DbSync.EntityFrameworkCore.Consistency;

namespace DbSync.EntityFrameworkCore;

/// <summary>What <c>UseDbSync</c> was told. Immutable, so that contexts may share it.</summary>
internal sealed record DbSyncSettings(string DataDirectory)
{
    public ReadConsistency Consistency { get; init; } = ReadConsistency.Session;

    /// <summary>How long a query waits for the replica to be fresh enough.</summary>
    public TimeSpan WaitMax { get; init; } = TimeSpan.FromMilliseconds(200);

    public OnRefusal OnRefusal { get; init; } = OnRefusal.Primary;

    /// <summary>How old a replica may be and still answer at the level Session; null for no limit.</summary>
    public TimeSpan? StalenessMax { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long what was learned of the primary (row-level security, rights, collations) is believed.</summary>
    public TimeSpan FactsAgeMax { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Null: the switch of the data directory.</summary>
    public RoutingMode? Routing { get; init; }

    /// <summary>Seals the tokens of <c>GetSyncTokenAsync</c>; null: they are plain.</summary>
    public SyncTokenSeal? Seal { get; init; }

    public bool ThrowOnFallback { get; init; }

    public bool RouteTrackedReads { get; init; }

    public bool TrustConnectionInterceptors { get; init; }

    public bool IgnoreRowLevelSecurity { get; init; }

    public TimeProvider Time { get; init; } = TimeProvider.System;
}
