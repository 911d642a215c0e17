namespace DbSync.EntityFrameworkCore;

/// <summary>Why a query goes where it goes.</summary>
public enum RouteReason
{
    /// <summary>The replica answers.</summary>
    Replica = 0,

    /// <summary>Routing is off, or only compares (<see cref="RoutingMode"/>).</summary>
    SwitchedOff,

    /// <summary>The query says <c>UsePrimary()</c>.</summary>
    UsePrimary,

    /// <summary>The query tracks entities, which are going to be changed.</summary>
    Tracking,

    /// <summary>The query writes, or is SQL.</summary>
    Statement,

    /// <summary>A transaction is open.</summary>
    Transaction,

    /// <summary>The context's connection is held open: what was set on it can matter.</summary>
    ConnectionOpen,

    /// <summary>The operation, function or type is not among those that SQLite answers alike.</summary>
    NotAlike,

    /// <summary>EF Core's SQLite provider can't translate the query.</summary>
    NotTranslatable,

    /// <summary>The replica model can't be made from the context's model.</summary>
    Model,

    /// <summary>A table or column is not replicated, or not as the model says.</summary>
    NotReplicated,

    /// <summary>A column holds a value that only PostgreSQL represents, or is of a type that only it reads.</summary>
    PrimaryOnlyColumn,

    /// <summary>The answer depends on a text order that SQLite doesn't have: the column's collation is not C.</summary>
    TextOrder,

    /// <summary>A table is still being copied.</summary>
    Copying,

    /// <summary>There is no replica in the data directory, or it holds more than one shard.</summary>
    NoReplica,

    /// <summary>The replica is not as fresh as asked.</summary>
    NotFresh,

    /// <summary>The replica belongs to another database than the context's, or the primary could not be asked.</summary>
    OtherDatabase,

    /// <summary>The context's role is under row-level security, or may not read a table.</summary>
    Rights,

    /// <summary>
    /// The context has connection interceptors, or connections that keep what was set on them (<c>No Reset On Close</c>); see
    /// <c>TrustConnectionInterceptors</c>.
    /// </summary>
    Interceptors,

    /// <summary>The replica failed while answering.</summary>
    Failed,

    /// <summary>A lock is attached to the context: what is read under it must not be stale.</summary>
    Locked,
}
