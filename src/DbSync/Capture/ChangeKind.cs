namespace DbSync;

/// <summary>What a change does to a table.</summary>
internal enum ChangeKind : byte
{
    /// <summary>A new row.</summary>
    Insert = 1,

    /// <summary>A new version of the row whose key is in that version: the key did not change.</summary>
    Update = 2,

    /// <summary>A new version of the row that had the identity sent along: the key changed, or the table has none.</summary>
    Replace = 3,

    /// <summary>The row with this identity is gone.</summary>
    Delete = 4,

    /// <summary>Every row of the table is gone.</summary>
    Truncate = 5,

    /// <summary>As Delete, on the way to another shard, which needs a value of the row: see <see cref="RowMove"/>.</summary>
    MoveOut = 6,

    /// <summary>As Insert, of a row that leaves values as they were in the shard it comes from.</summary>
    MoveIn = 7,

    /// <summary>A change of the table can't be stored: the ordinal of its column as an Integer, -1 for the row as a whole, and the reason as Text.</summary>
    Quarantine = 8,

    /// <summary>A new row, by passing into the publication's filter, with values that did not change then and are only on the primary.</summary>
    Enter = 9,

    /// <summary>From here on the table is as the change's table says; cells as in <see cref="TableAlteration"/>.</summary>
    Alter = 10,

    /// <summary>The transaction computes the table's rows anew: what is here can't be altered to match. Only the table's id counts.</summary>
    Rewrite = 11,

    /// <summary>The table is gone, or published no longer: an Integer that is 1 when it is gone. Only the table's id counts.</summary>
    Drop = 12,

    /// <summary>An index is gone: the table's schema and name are the index's.</summary>
    DropIndex = 13,

    /// <summary>Something has changed that the log does not describe: the catalog has to be looked at.</summary>
    Look = 14,
}
