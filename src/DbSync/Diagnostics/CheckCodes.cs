namespace DbSync;

/// <summary>The codes of <c>dbsync doctor</c>'s checks, 2100 to 2199, and that of shards. Each has a page in <c>Diagnostics/Explanations</c>.</summary>
internal static class CheckCodes
{
    public const string ServerVersion = "DBS2101";
    public const string WalLevel = "DBS2102";
    public const string SlotsFree = "DBS2103";
    public const string SendersFree = "DBS2104";
    public const string SlotRetention = "DBS2105";
    public const string IdleSlotTimeout = "DBS2106";
    public const string ReplicationRight = "DBS2107";
    public const string Superuser = "DBS2108";
    public const string SelectRight = "DBS2109";
    public const string TableIdentity = "DBS2110";
    public const string RowSecurity = "DBS2111";
    public const string Encoding = "DBS2112";
    public const string ControlSchema = "DBS2113";
    public const string Publication = "DBS2114";
    public const string Slot = "DBS2115";
    public const string SlotPosition = "DBS2116";
    public const string SqliteVersion = "DBS2117";
    public const string DataDirectory = "DBS2118";
    public const string Transport = "DBS2119";
    public const string Reachable = "DBS2120";
    public const string Partitions = "DBS2121";
    public const string SchemaChanges = "DBS2122";
    public const string Sharding = "DBS8010";
}
