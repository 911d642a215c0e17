using System.Collections.Immutable;

namespace DbSync;

/// <summary>By which columns a table is sharded, as a shard map says it: by name, since tables change and maps travel.</summary>
/// <param name="Columns">The columns, in key order.</param>
/// <param name="Kinds">How each is hashed.</param>
internal sealed record ShardKeyRule(ImmutableArray<string> Columns, ImmutableArray<HashKind> Kinds)
{
    /// <summary>The key over a table's identity cells: the key's cells in key order, or the whole row where there is no key.</summary>
    /// <exception cref="DbSyncException">DBS8001 when the table's identity doesn't hold a column of the key.</exception>
    public ShardKey OverIdentity(TableSchema table) => Over(table, ordinal => table.HasKey ? table.Key.IndexOf(ordinal) : ordinal);

    /// <summary>The key over a row's cells in column order.</summary>
    /// <inheritdoc cref="OverIdentity"/>
    public ShardKey OverRow(TableSchema table) => Over(table, ordinal => ordinal);

    /// <summary>The bucket of some values; null when they are not of the key's number and types.</summary>
    public Bucket? BucketOf(IReadOnlyList<object> values)
    {
        if (values.Count != Columns.Length) return null;
        var hash = 0ul;
        for (var i = 0; i < values.Count; i++)
        {
            if (PostgresHash.OfValue(Kinds[i], values[i]) is not { } next) return null;
            hash = PostgresHash.Combine(hash, next);
        }
        return Bucket.OfHash(hash);
    }

    public bool Equals(ShardKeyRule? other) => other is not null && Columns.SequenceEqual(other.Columns) && Kinds.SequenceEqual(other.Kinds);

    public override int GetHashCode() => Columns.Length;

    private ShardKey Over(TableSchema table, Func<int, int> place)
    {
        var columns = ImmutableArray.CreateBuilder<ShardKeyColumn>(Columns.Length);
        for (var at = 0; at < Columns.Length; at++)
        {
            var ordinal = OrdinalOf(table, Columns[at]);
            var placed = ordinal < 0 ? -1 : place(ordinal);
            if (placed < 0)
                throw new DbSyncException(
                    ErrorCodes.ShardKeyNotInIdentity,
                    $"{table} is sharded by {Columns[at]}, which is not among the columns that identify its rows.",
                    "Put the column back into the table's replica identity, then start the node again; 'dbsync doctor' prints the statements.");
            columns.Add(new ShardKeyColumn(placed, Columns[at], Kinds[at]));
        }
        return new ShardKey(table.ReplicaName, columns.MoveToImmutable());
    }

    private static int OrdinalOf(TableSchema table, string name)
    {
        for (var ordinal = 0; ordinal < table.Columns.Length; ordinal++)
            if (table.Columns[ordinal].Name == name) return ordinal;
        return -1;
    }
}
