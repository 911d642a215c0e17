namespace DbSync.Postgres;

/// <summary>What <c>dbsync init</c> is asked to set up.</summary>
internal sealed record SetupRequest
{
    public required string Replica { get; init; }

    /// <summary>The node's name; null to keep the directory's, or to make one up.</summary>
    public string? Node { get; init; }

    public required string DataDirectory { get; init; }

    /// <summary>The tables to take; null for every table that can be published, now and at the next init.</summary>
    public IReadOnlyCollection<string>? Tables { get; init; }

    /// <summary>How the replica is to be sharded.</summary>
    public ShardingRequest Sharding { get; init; } = ShardingRequest.None;

    /// <summary>Only the control schema, the publication and the grants: what the tables' owner does for a role that may replicate.</summary>
    public bool SchemaOnly { get; init; }

    /// <summary>A role to grant what running needs; null for none.</summary>
    public string? GrantTo { get; init; }

    /// <summary>The application's role, to grant the functions that it calls; null for none.</summary>
    public string? GrantApp { get; init; }

    /// <summary>Take over the name of a node whose data directory is lost: its slot is dropped, and everything is copied again.</summary>
    public bool TakeOver { get; init; }
}

/// <summary>What was set up, or would be.</summary>
/// <param name="Node">The node; null when only the schema was set up.</param>
/// <param name="Slot">Its slot; null as well.</param>
/// <param name="Publication">The publication.</param>
/// <param name="Statements">The SQL that ran or would run, in order; empty when nothing was missing.</param>
/// <param name="Tables">The published tables.</param>
/// <param name="Refused">The tables left out.</param>
/// <param name="Sharding">Where the rows go.</param>
internal sealed record SetupResult(
    string? Node, string? Slot, string Publication, IReadOnlyList<string> Statements, IReadOnlyList<string> Tables, IReadOnlyList<Refusal> Refused,
    ShardingPlan Sharding);
