using DbSync.Testing;

namespace DbSync.EndToEnd.Tests.Schema;

/// <summary>A node whose publication takes every table there is, as <c>dbsync init</c> leaves it, and the comparison with its primary.</summary>
internal static class SchemaNode
{
    public const string Publication = "dbsync_main";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <param name="postgres">The server.</param>
    /// <param name="schema">The tables; the first is <c>first</c>.</param>
    /// <param name="logged">Whether the primary logs schema changes by itself.</param>
    public static async Task<NodeUnderTest> StartAsync(PostgresFixture postgres, string schema, bool logged = true) =>
        await StartAsync(await postgres.CreateDatabaseAsync(Cancel), schema, logged);

    /// <param name="database">The connection string of an empty database.</param>
    /// <param name="schema">The tables; the first is <c>first</c>.</param>
    /// <param name="logged">Whether the primary logs schema changes by itself.</param>
    public static async Task<NodeUnderTest> StartAsync(string database, string schema, bool logged = true)
    {
        var node = await NodeUnderTest.CreateAsync(database, $"CREATE TABLE first (id int PRIMARY KEY, v text); {schema}", "first", Cancel);
        await node.ExecuteAsync($"COMMENT ON PUBLICATION {Publication} IS 'DbSync: every table that can be published'");
        if (logged) await node.LogSchemaChangesAsync(Cancel);
        return node;
    }

    public static string File(NodeUnderTest node) => Path.Combine(node.DataPath, "s0.1.db");

    /// <summary>Everything that differs between the replica and one built from scratch now.</summary>
    public static async Task<IReadOnlyList<string>> DifferencesAsync(NodeUnderTest node)
    {
        await node.CatchUpAsync();
        var shapes = await ShapeOracle.CompareAsync(node.ConnectionString, Publication, File(node));
        return shapes.Count > 0 ? shapes : await ReplicaOracle.CompareAsync(node.ConnectionString, Publication, [File(node)]);
    }

    public static async Task ShouldBeEqualAsync(NodeUnderTest node) => (await DifferencesAsync(node)).ShouldBeEmpty();

    /// <summary>How often a table was copied so far.</summary>
    public static long Copies(NodeUnderTest node) => node.Node.Status().ChunksRead;
}
