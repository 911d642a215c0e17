namespace DbSync.EntityFrameworkCore.Modeling;

/// <summary>What the replica model's properties carry: runtime models keep nothing else of how a column was configured.</summary>
internal static class ReplicaAnnotations
{
    /// <summary>The canonical PostgreSQL type of the column (<see cref="PgTypeName"/>).</summary>
    public const string PgType = "DbSync:PgType";

    /// <summary>Why only the primary can read the column.</summary>
    public const string PrimaryOnly = "DbSync:PrimaryOnly";
}
