namespace DbSync.EntityFrameworkCore;

/// <summary>Whether queries are answered by the replica.</summary>
public enum RoutingMode
{
    /// <summary>Every query goes to the primary, as without DbSync.</summary>
    Off = 0,

    /// <summary>The primary answers; the replica is asked too, and every difference is reported, by the query's shape and without values.</summary>
    Shadow = 1,

    /// <summary>Queries that the replica answers alike are answered by it. The default.</summary>
    On = 2,
}
