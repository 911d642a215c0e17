namespace DbSync;

/// <summary>How PostgreSQL hashes the values of a shard key column, and in which form they arrive as stored cells.</summary>
internal enum HashKind : byte
{
    /// <summary>int2, int4, int8 and oid: equal numbers hash alike, whatever their width.</summary>
    Integer = 1,

    /// <summary>bool, stored as 0 or 1.</summary>
    Boolean = 2,

    /// <summary>uuid, stored as text.</summary>
    Uuid = 3,

    /// <summary>text and varchar under a deterministic collation in a UTF-8 database.</summary>
    Text = 4,

    /// <summary>char(n), whose trailing blanks don't count.</summary>
    PaddedText = 5,

    /// <summary>bytea.</summary>
    Bytes = 6,

    /// <summary>date, stored as <c>yyyy-MM-dd</c>.</summary>
    Date = 7,

    /// <summary>timestamp, and timestamptz in UTC, stored as <c>yyyy-MM-dd HH:mm:ss.FFFFFFF</c>.</summary>
    Timestamp = 8,

    /// <summary>numeric, stored as PostgreSQL prints it.</summary>
    Numeric = 9,
}
