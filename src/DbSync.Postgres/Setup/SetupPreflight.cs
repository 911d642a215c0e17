namespace DbSync.Postgres;

/// <summary>The checks before a setup: what fails stops it, what only warns is said.</summary>
internal static class SetupPreflight
{
    /// <exception cref="DbSyncException">DBS2002 when a precondition does not hold.</exception>
    public static async Task RequireAsync(Primary primary, bool schemaOnly, Action<PreflightCheck> warn, CancellationToken cancellationToken)
    {
        var facts = await ServerFacts.ReadAsync(primary, cancellationToken);
        foreach (var check in ServerChecks.BeforeSetup(facts, schemaOnly))
        {
            if (check.State == CheckState.Fail && check.Code != CheckCodes.SlotRetention)
                throw new DbSyncException(ErrorCodes.PreflightFailed, $"{check.Detail} ({check.Code})", check.Fix);
            if (check.State != CheckState.Ok) warn(check);
        }
    }
}
