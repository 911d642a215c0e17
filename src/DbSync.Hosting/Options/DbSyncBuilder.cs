using Microsoft.Extensions.DependencyInjection;

namespace DbSync.Hosting;

/// <summary>Settings of <c>AddDbSync</c> in code; they win over the configuration's.</summary>
public sealed class DbSyncBuilder
{
    internal DbSyncBuilder(IServiceCollection services) => Services = services;

    /// <summary>The application's services.</summary>
    public IServiceCollection Services { get; }

    /// <summary>Names the primary.</summary>
    /// <param name="connectionString">Npgsql's connection string, of a role that may replicate.</param>
    public DbSyncBuilder UsePrimary(string connectionString) => Configure(o => o.Primary = connectionString);

    /// <summary>Names the data directory: one for each node, on a local disk.</summary>
    /// <param name="path">The directory; it is made when it is missing.</param>
    public DbSyncBuilder UseDataDirectory(string path) => Configure(o => o.DataDirectory = path);

    /// <summary>Names replica and node.</summary>
    /// <param name="replica">The replica.</param>
    /// <param name="node">The node; null to keep the directory's, or to make one up.</param>
    public DbSyncBuilder UseReplica(string replica, string? node = null) => Configure(o => (o.Replica, o.Node) = (replica, node));

    /// <summary>Lets the engine do what <c>dbsync init</c> does, at each start.</summary>
    /// <param name="tables">The tables to publish, as <c>schema.table</c>; none for all that can be published.</param>
    public DbSyncBuilder AllowSetup(params string[] tables) => Configure(o =>
    {
        o.AllowSetup = true;
        foreach (var table in tables) o.Tables.Add(table);
    });

    /// <summary>Spreads the replica over shards, when the engine sets it up.</summary>
    /// <param name="shards">A number, or names with weights: <c>a:1,b:2</c>.</param>
    /// <param name="keys">Shard keys by table: a column, or several with <c>+</c> between. Tables that the model shards need none.</param>
    public DbSyncBuilder UseShards(string shards, params (string Table, string Columns)[] keys) => Configure(o =>
    {
        o.Shards = shards;
        foreach (var (table, columns) in keys) o.ShardKeys[table] = columns;
    });

    /// <summary>Leaves the engine to a <c>dbsync run</c> beside the application: this process only reads.</summary>
    public DbSyncBuilder WithoutEngine() => Configure(o => o.RunEngine = false);

    /// <summary>Sets anything else.</summary>
    /// <param name="configure">Changes the options.</param>
    public DbSyncBuilder Configure(Action<DbSyncOptions> configure)
    {
        Services.Configure(configure);
        return this;
    }
}
