namespace DbSync;

/// <summary>
/// Every code that a <see cref="DbSyncException"/> can carry. The thousands name the stage: 1 settings and start, 2 the primary,
/// 3 capture, 4 storage, 5 pipeline and copy, 6 locks, 7 the EF plug-in, 8 sharding. Each has a page in <c>Diagnostics/Explanations</c>.
/// </summary>
internal static class ErrorCodes
{
    /// <summary>
    /// What passes by itself: a primary that can't be reached, or that could not serve one statement, or a transaction in progress that it has to
    /// keep for us. A running node tries again.
    /// </summary>
    public static bool IsPassing(string code) => code is PrimaryUnreachable or StatementFailed or SpillFull or SpillFailed;

    /// <summary>A value that can't be had here: its table is set aside, and the rest goes on.</summary>
    public static bool IsOfValue(string code) => code is ValueUnstorable or RowTooLarge;

    /// <summary>What concerns the primary: its state, its settings, or what it allows.</summary>
    public static bool IsOfPrimary(string code) => code.StartsWith("DBS2", StringComparison.Ordinal);

    public const string InvalidOption = "DBS1001";
    public const string NotInitialised = "DBS1002";
    public const string DataDirectoryInUse = "DBS1003";
    public const string IdentityMismatch = "DBS1004";
    public const string ReadOnlyQuery = "DBS1005";
    public const string UnknownTopic = "DBS1006";
    public const string Unexpected = "DBS1007";

    public const string PrimaryUnreachable = "DBS2001";
    public const string PreflightFailed = "DBS2002";
    public const string TableWithoutIdentity = "DBS2003";
    public const string ControlSchemaNewer = "DBS2004";
    public const string UnknownTable = "DBS2005";
    public const string MissingPrivilege = "DBS2006";
    public const string NameCollision = "DBS2007";
    public const string AuthenticationFailed = "DBS2008";
    public const string TableNotPublishable = "DBS2009";
    public const string NodeExists = "DBS2010";
    public const string StatementFailed = "DBS2011";
    public const string StatementRefused = "DBS2012";
    public const string PublicationMissing = "DBS2013";
    public const string ControlSchemaForeign = "DBS2014";
    public const string MigrationNotPlanned = "DBS2015";

    public const string MalformedStream = "DBS3001";
    public const string SlotMissing = "DBS3002";
    public const string SlotInUse = "DBS3003";
    public const string SlotAhead = "DBS3004";
    public const string SlotLost = "DBS3005";
    public const string RowTooLarge = "DBS3006";
    public const string DriverMismatch = "DBS3007";
    public const string PrimaryChanged = "DBS3008";
    public const string SpillFull = "DBS3101";
    public const string SpillFailed = "DBS3102";
    public const string PrimaryWentBack = "DBS3050";
    public const string TimelineForked = "DBS3051";
    public const string SlotOverBudget = "DBS3052";

    public const string ShardFileDamaged = "DBS4001";
    public const string ShardFileNewer = "DBS4002";
    public const string SqliteTooOld = "DBS4003";
    public const string StorageFailed = "DBS4004";
    public const string ShardFileMismatch = "DBS4005";
    public const string ShardFileIsLink = "DBS4006";
    public const string ReseedGivenUp = "DBS4050";
    public const string ResyncNotTaken = "DBS4051";
    public const string BackupDamaged = "DBS4060";
    public const string BackupOlder = "DBS4061";

    public const string ValueUnstorable = "DBS4101";

    public const string Diverged = "DBS5001";
    public const string OutOfOrder = "DBS5002";
    public const string SchemaChanged = "DBS5003";
    public const string VerifyTimedOut = "DBS5004";
    public const string NotLive = "DBS5005";

    public const string HashMismatch = "DBS5101";
    public const string UnsupportedShardKey = "DBS5102";
    public const string NullShardKey = "DBS5103";
    public const string ImpossiblePlacement = "DBS5104";

    public const string LockLost = "DBS6001";
    public const string LockWaitTimeout = "DBS6002";
    public const string LockDeadlock = "DBS6003";
    public const string InvalidLockRange = "DBS6004";
    public const string LockServerUnreachable = "DBS6005";
    public const string LockServerUnsupported = "DBS6006";
    public const string LockPermissionMissing = "DBS6007";
    public const string LockStateDamaged = "DBS6008";
    public const string LockQueueFull = "DBS6009";
    public const string LockEpochsUsedUp = "DBS6010";
    public const string LockEntryGone = "DBS6011";
    public const string FenceNotRegistered = "DBS6012";
    public const string LockKeyUnusable = "DBS6013";
    public const string LockAttachedTooLate = "DBS6014";
    public const string LockUnguarded = "DBS6015";

    public const string NotRouted = "DBS7001";
    public const string NotFreshEnough = "DBS7002";
    public const string CannotPlugIn = "DBS7003";

    public const string ShardKeyNotInIdentity = "DBS8001";
    public const string UnreadableShardMap = "DBS8002";
    public const string TableNotPlaced = "DBS8003";
    public const string LayoutMismatch = "DBS8004";
    public const string ShardsApart = "DBS8005";
    public const string NotAllHere = "DBS8006";
    public const string BucketsOnTheirWay = "DBS8007";
    public const string NoNodeMoves = "DBS8008";
}
