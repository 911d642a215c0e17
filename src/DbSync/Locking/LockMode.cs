namespace DbSync.Locking;

/// <summary>What a range lock lets others do on the keys it covers.</summary>
public enum LockMode
{
    /// <summary>Others may hold overlapping shared locks, but no exclusive one.</summary>
    Shared = 0,

    /// <summary>Nobody else holds a lock on any of the keys.</summary>
    Exclusive = 1,
}

/// <summary>The one compatibility rule, so that no backend spells it twice.</summary>
internal static class LockModes
{
    public static bool Conflict(LockMode left, LockMode right) => left == LockMode.Exclusive || right == LockMode.Exclusive;
}
