namespace DbSync;

/// <summary>What the primary's catalog says of a column that is to be part of a shard key.</summary>
/// <param name="Table">The table, for messages.</param>
/// <param name="Column">The column, for messages.</param>
/// <param name="TypeName">The type as <c>format_type</c> prints it, for messages.</param>
/// <param name="BaseTypeOid">The type's <c>pg_type.oid</c>; of a domain, that of the type beneath.</param>
/// <param name="IsEnum">True for an enum.</param>
/// <param name="IsDeterministic">False under a collation that takes different texts for equal.</param>
/// <param name="IsUtf8">True when the database's encoding is UTF-8.</param>
internal sealed record ShardKeyType(
    string Table,
    string Column,
    string TypeName,
    uint BaseTypeOid,
    bool IsEnum,
    bool IsDeterministic,
    bool IsUtf8)
{
    /// <summary>How the column is hashed.</summary>
    /// <exception cref="DbSyncException">PostgreSQL's hash of this type can't be computed here, or isn't the same everywhere.</exception>
    public HashKind ToHashKind()
    {
        // Object identifiers of built-in types never change (PostgreSQL, src/include/catalog/pg_type.dat).
        HashKind? kind = BaseTypeOid switch
        {
            20 or 21 or 23 or 26 => HashKind.Integer,
            16 => HashKind.Boolean,
            2950 => HashKind.Uuid,
            25 or 1043 => HashKind.Text,
            1042 => HashKind.PaddedText,
            17 => HashKind.Bytes,
            1082 => HashKind.Date,
            1114 or 1184 => HashKind.Timestamp,
            1700 => HashKind.Numeric,
            _ => null,
        };
        if (kind is null) throw Refuse(WhyNot());
        if (kind is HashKind.Text or HashKind.PaddedText)
        {
            if (!IsDeterministic) throw Refuse("its collation takes different texts for equal, and only PostgreSQL knows which");
            if (!IsUtf8) throw Refuse("the database's encoding isn't UTF-8, so that PostgreSQL hashes other bytes than it sends");
        }

        return kind.Value;
    }

    private string WhyNot() => BaseTypeOid switch
    {
        _ when IsEnum => "PostgreSQL hashes an enum by an object identifier that a restore changes",
        700 or 701 => "a floating-point number is not a safe key",
        _ => "DbSync does not compute PostgreSQL's hash of this type",
    };

    private DbSyncException Refuse(string reason) => new(
        ErrorCodes.UnsupportedShardKey,
        $"Column {Column} of {Table}, of type {TypeName}, can't be part of a shard key: {reason}.",
        "Use a column of an integer, uuid, text, bytea, date, timestamp, numeric or bool type, under a deterministic collation.");
}
