using DbSync.EndToEnd.Tests.Replication;
using DbSync.Testing;

namespace DbSync.EndToEnd.Tests.Schema;

/// <summary>Schema changes on a primary that has no event triggers: nothing wrong stays, and nobody has to do anything.</summary>
[Trait("Needs", "Server")]
[Trait("Also", "Postgres18")]
public sealed class WithoutTriggersTests(PostgresFixture postgres)
{
    private const string Tables =
        """
        CREATE TYPE mood AS ENUM ('sad', 'ok');
        CREATE TABLE t (id int PRIMARY KEY, v text, w text, n int, m mood); INSERT INTO t SELECT g, 'v' || g, 'w' || g, g, 'ok' FROM generate_series(1, 200) g;
        CREATE TABLE u (id int PRIMARY KEY, v text); INSERT INTO u SELECT g, 'u' FROM generate_series(1, 100) g;
        """;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>No row comes after these that would tell; the first two look to the stream as if nothing had happened.</summary>
    [Fact]
    public async Task What_no_row_tells_is_seen_in_the_catalog()
    {
        await using var node = await RunAsync();
        foreach (var change in new[]
        {
            "BEGIN; ALTER TABLE t RENAME COLUMN v TO x; ALTER TABLE t RENAME COLUMN w TO v; ALTER TABLE t RENAME COLUMN x TO w; COMMIT",
            "ALTER TABLE t ALTER COLUMN n TYPE int USING n * 2",
            "ALTER TABLE t DROP COLUMN w; ALTER TABLE t ADD COLUMN w text",
            "ALTER TABLE t ADD COLUMN filled int DEFAULT 3",
            "ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'",
            "ALTER TYPE mood ADD VALUE 'furious' BEFORE 'sad'",
            "CREATE INDEX t_v ON t (v); CREATE INDEX u_v ON u (v)",
            "DROP INDEX t_v",
            "BEGIN; ALTER TABLE t RENAME TO x; ALTER TABLE u RENAME TO t; ALTER TABLE x RENAME TO u; COMMIT",
            "ALTER TABLE t ADD COLUMN random float8 DEFAULT random()",
        })
        {
            await node.ExecuteAsync(change);
            await UntilEqualAsync(node, change);
        }
    }

    [Fact]
    public async Task An_appended_column_and_an_index_copy_nothing_when_they_are_told()
    {
        await using var node = await RunAsync();
        await Eventually.Async(async _ => (await SchemaNode.DifferencesAsync(node)).Count == 0, cancellationToken: Cancel);
        var copies = SchemaNode.Copies(node);
        await node.ExecuteAsync("BEGIN; ALTER TABLE t ADD COLUMN more text DEFAULT 'it''s', ADD COLUMN plain int; CREATE INDEX t_more ON t (more); SELECT dbsync.schema_changed(); UPDATE t SET more = 'later' WHERE id = 1; COMMIT");
        await UntilEqualAsync(node, "told");
        SchemaNode.Copies(node).ShouldBe(copies);
    }

    private static Task UntilEqualAsync(NodeUnderTest node, string change) => Eventually.Async(
        async _ =>
        {
            try
            {
                return await SchemaNode.DifferencesAsync(node);
            }
            catch (DbSyncException exception) when (exception.Code == ErrorCodes.StorageFailed)
            {
                return [exception.Message]; // a table or a column is not here yet
            }
        },
        differences => differences.Count == 0, TimeSpan.FromSeconds(30), differences => $"{change}: {string.Join("; ", differences)}", Cancel);

    private async Task<NodeUnderTest> RunAsync()
    {
        var node = await SchemaNode.StartAsync(postgres, Tables, logged: false);
        node.Options = new NodeOptions { HeartbeatInterval = TimeSpan.FromMilliseconds(100) };
        await node.ExecuteAsync("ALTER PUBLICATION dbsync_main ADD TABLE t, u");
        node.Run();
        await node.CatchUpAsync();
        return node;
    }
}
