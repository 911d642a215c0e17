using System.Collections.Immutable;

namespace DbSync.Postgres;

/// <summary>
/// The SQL that says in which bucket a row is: immutable and built in, so that it serves in COPY, WHERE, an expression index and the row
/// filter of a publication alike.
/// </summary>
/// <remarks>
/// <c>hash_record_extended</c> (PostgreSQL 14) reaches the hash of every type, also of those whose own hash function can't be called with
/// a plain argument (bytea) or has another name in each version (date, timestamp), and for one column it equals that column's own hash.
/// </remarks>
internal static class BucketSql
{
    /// <summary>The bucket of a row as <c>bigint</c>, in parentheses as an index wants it.</summary>
    /// <param name="key">The table's shard key.</param>
    /// <param name="alias">The alias of the table in the query, or null when its columns stand alone.</param>
    public static string Expression(ShardKey key, string? alias = null)
    {
        var prefix = alias is null ? "" : PgName.Quote(alias) + ".";
        var columns = string.Join(", ", key.Columns.Select(column => prefix + PgName.Quote(column.Name)));

        // The hash is a signed bigint and its sign bit is copied on the way down, so it is masked off.
        return $"((pg_catalog.hash_record_extended(ROW({columns}), 0) >> {Bucket.Shift}) & {Bucket.Count - 1})";
    }

    /// <summary>The condition that a row is in one of some buckets; an index on <see cref="Expression"/> answers it.</summary>
    public static string IsIn(ShardKey key, ImmutableArray<Bucket> buckets, string? alias = null) =>
        $"({Expression(key, alias)} = ANY ('{{{string.Join(",", buckets)}}}'::bigint[]))";
}
