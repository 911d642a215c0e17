using System.Collections.Frozen;
using System.Text.Json;
using DbSync.Sqlite;

namespace DbSync.EntityFrameworkCore.Replicas;

/// <summary>What a shard says of its tables: which can be read, how their columns are stored, and which only the primary may answer.</summary>
internal sealed class ReplicaCatalog
{
    private readonly FrozenDictionary<string, ReplicaTableFacts> _tables;

    private ReplicaCatalog(string replica, string node, FrozenDictionary<string, ReplicaTableFacts> tables, ShardLayout? layout)
    {
        (Replica, Node, _tables, Layout) = (replica, node, tables, layout);
        AreAllLive = tables.Values.All(t => t.State == TableState.Live);
    }

    public string Replica { get; }

    public string Node { get; }

    /// <summary>The shard layout; null when the replica is not sharded.</summary>
    public ShardLayout? Layout { get; }

    /// <summary>True when every table can be read: from then on only DDL changes that.</summary>
    public bool AreAllLive { get; }

    public ReplicaTableFacts? Find(string replicaName) => _tables.GetValueOrDefault(replicaName);

    /// <summary>Reads it in the connection's open transaction.</summary>
    public static ReplicaCatalog Load(NativeStatements statements)
    {
        var marks = new List<(uint Table, string Column)>();
        using (var rows = statements.Prepare("SELECT table_oid, \"column\" FROM \"dbsync.primary_only\""))
            while (rows.Step()) marks.Add(((uint)rows.Integer(0), rows.Text(1)));
        var tables = new Dictionary<string, ReplicaTableFacts>(StringComparer.Ordinal);
        using (var rows = statements.Prepare("SELECT schema, state FROM \"dbsync.table\" WHERE oid < 4294967296"))
            while (rows.Step())
            {
                var schema = JsonSerializer.Deserialize<TableSchema>(rows.Bytes(0))!;
                tables[schema.ReplicaName] = new ReplicaTableFacts(
                    schema,
                    (TableState)rows.Integer(1),
                    schema.Columns.ToFrozenDictionary(c => c.Name, StringComparer.Ordinal),
                    marks.Where(m => m.Table == schema.Id.Oid).Select(m => m.Column).ToFrozenSet(StringComparer.Ordinal));
            }
        using var layout = statements.Prepare("SELECT version, copies, spread, hash, shards, keys, owners FROM \"dbsync.layout\"");
        var sharded = layout.Step()
            ? ShardLayout.Of(new ShardLayoutRow(
                layout.Integer(0), (int)layout.Integer(1), (int)layout.Integer(2), layout.Text(3), layout.Text(4), layout.Text(5), layout.Bytes(6).ToArray()))
            : null;
        using var shard = statements.Prepare("SELECT replica, node FROM \"dbsync.shard\"");
        return shard.Step()
            ? new ReplicaCatalog(shard.Text(0), shard.Text(1), tables.ToFrozenDictionary(StringComparer.Ordinal), sharded)
            : new ReplicaCatalog("", "", FrozenDictionary<string, ReplicaTableFacts>.Empty, null);
    }
}

/// <summary>A table of a shard.</summary>
/// <param name="Schema">How it is stored.</param>
/// <param name="State">Whether it can be read.</param>
/// <param name="Columns">Its columns by name.</param>
/// <param name="Marked">The columns that hold a value which only the primary can give.</param>
internal sealed record ReplicaTableFacts(
    TableSchema Schema, TableState State, FrozenDictionary<string, ColumnSchema> Columns, FrozenSet<string> Marked);
