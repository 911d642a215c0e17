namespace DbSync.Cli;

/// <summary>The tool's exit codes: a promise to scripts.</summary>
internal static class ExitCode
{
    public const int Ok = 0;
    public const int Failed = 1;
    public const int Usage = 2;
    public const int Preflight = 3;
    public const int Unreachable = 4;
    public const int Different = 5;
    public const int Lagging = 6;
    public const int Cancelled = 130;

    /// <summary>The exit code that an error's code belongs to.</summary>
    public static int Of(string errorCode) => errorCode switch
    {
        ErrorCodes.InvalidOption or ErrorCodes.ReadOnlyQuery or ErrorCodes.UnknownTopic => Usage,
        ErrorCodes.PrimaryUnreachable or ErrorCodes.AuthenticationFailed or ErrorCodes.LockServerUnreachable => Unreachable,
        ErrorCodes.NotInitialised or ErrorCodes.NodeExists or ErrorCodes.PreflightFailed or ErrorCodes.TableWithoutIdentity
            or ErrorCodes.TableNotPublishable or ErrorCodes.ControlSchemaNewer or ErrorCodes.ControlSchemaForeign or ErrorCodes.MigrationNotPlanned or ErrorCodes.UnknownTable or ErrorCodes.MissingPrivilege
            or ErrorCodes.NameCollision or ErrorCodes.PublicationMissing or ErrorCodes.LockServerUnsupported or ErrorCodes.LockPermissionMissing
            or ErrorCodes.ShardKeyNotInIdentity or ErrorCodes.UnsupportedShardKey or ErrorCodes.NullShardKey or ErrorCodes.TableNotPlaced => Preflight,
        _ => Failed,
    };
}
