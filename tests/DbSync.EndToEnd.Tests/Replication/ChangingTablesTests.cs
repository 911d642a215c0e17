using DbSync.Testing;

namespace DbSync.EndToEnd.Tests.Replication;

/// <summary>Tables that come, go and change their shape while a node follows them, or while it sleeps.</summary>
[Trait("Needs", "Server")]
public sealed class ChangingTablesTests(PostgresFixture postgres)
{
    private const string Schema =
        """
        CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a SELECT g, 'a' FROM generate_series(1, 500) g;
        CREATE TABLE b (id int PRIMARY KEY, v text); INSERT INTO b SELECT g, 'b' FROM generate_series(1, 500) g;
        CREATE TABLE later (id int PRIMARY KEY, v text); INSERT INTO later SELECT g, 'l' FROM generate_series(1, 500) g;
        """;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<string> Alterations =>
    [
        "ALTER TABLE a ADD COLUMN c int; UPDATE a SET c = id WHERE id < 100",
        "ALTER TABLE a ADD COLUMN c int NOT NULL DEFAULT 7; INSERT INTO a VALUES (1000, 'new', 8)",
        "ALTER TABLE a DROP COLUMN v; INSERT INTO a VALUES (1000)",
        "ALTER TABLE a RENAME COLUMN v TO w; UPDATE a SET w = 'renamed' WHERE id = 1",
        "ALTER TABLE a ALTER COLUMN v TYPE bytea USING convert_to(v, 'UTF8'); UPDATE a SET v = '\\x00' WHERE id = 1",
        "INSERT INTO a VALUES (1001, 'before'); ALTER TABLE a ADD COLUMN c text; INSERT INTO a VALUES (1002, 'after', 'c'); ALTER TABLE a DROP COLUMN v; INSERT INTO a VALUES (1003, 'c')",
        "ALTER TABLE a DROP CONSTRAINT a_pkey, ADD PRIMARY KEY (v, id); UPDATE a SET v = 'k' WHERE id < 50",
        "ALTER TABLE a REPLICA IDENTITY FULL; UPDATE a SET v = 'full' WHERE id < 50",
        "ALTER TABLE a RENAME TO aa; INSERT INTO aa VALUES (1000, 'renamed')",
        "ALTER TABLE a RENAME TO swap; ALTER TABLE b RENAME TO a; ALTER TABLE swap RENAME TO b; INSERT INTO a VALUES (1000, 'was b'); INSERT INTO b VALUES (1001, 'was a')",
        "DROP TABLE a; CREATE TABLE a (id int PRIMARY KEY, w int); ALTER PUBLICATION dbsync_main ADD TABLE a; INSERT INTO a SELECT g, g FROM generate_series(1, 50) g",
    ];

    [Theory]
    [MemberData(nameof(Alterations))]
    public async Task A_table_that_changes_is_copied_again_by_itself(string alteration)
    {
        await using var node = await CreateAsync();
        node.Run();
        await node.CatchUpAsync();
        await node.ExecuteAsync($"BEGIN; {alteration}; COMMIT");
        await node.CatchUpAsync();
        await node.ExecuteAsync("INSERT INTO b VALUES (2000, 'alive')");
        await node.CatchUpAsync();
        await node.StopAsync();
        await ReplicationTests.ShouldBeEqualAsync(node);
    }

    [Theory]
    [MemberData(nameof(Alterations))]
    public async Task A_table_that_changes_while_the_node_sleeps_is_copied_again(string alteration)
    {
        await using var node = await CreateAsync();
        node.Run();
        await node.CatchUpAsync();
        await node.StopAsync();
        await node.ExecuteAsync("UPDATE a SET v = 'asleep' WHERE id % 3 = 0");
        await node.ExecuteAsync($"BEGIN; {alteration}; COMMIT");
        node.Run();
        await node.CatchUpAsync();
        await node.StopAsync();
        await ReplicationTests.ShouldBeEqualAsync(node);
    }

    [Theory]
    [MemberData(nameof(Alterations))]
    public async Task A_table_that_changes_while_it_is_copied_ends_up_right(string alteration)
    {
        await using var node = await CreateAsync();
        node.Options = new NodeOptions { Copy = new CopyOptions { ChunkBytes = 8 << 10, Parallelism = 2 } };
        node.Run();
        await node.ExecuteAsync($"BEGIN; UPDATE a SET v = 'early' WHERE id % 3 = 0; {alteration}; COMMIT");
        await node.CatchUpAsync();
        await node.StopAsync();
        await ReplicationTests.ShouldBeEqualAsync(node);
    }

    [Fact]
    public async Task A_table_that_is_published_while_the_node_sleeps_is_copied()
    {
        await using var node = await CreateAsync();
        node.Run();
        await node.CatchUpAsync();
        await node.StopAsync();
        await node.ExecuteAsync("UPDATE later SET v = 'unseen' WHERE id < 100; ALTER PUBLICATION dbsync_main ADD TABLE later; UPDATE later SET v = 'seen' WHERE id > 400; DELETE FROM later WHERE id = 250");
        await node.ExecuteAsync("ALTER PUBLICATION dbsync_main DROP TABLE b");
        node.Run();
        await node.ExecuteAsync("UPDATE later SET id = -id WHERE id % 2 = 0");
        await node.CatchUpAsync();
        await node.StopAsync();
        await ReplicationTests.ShouldBeEqualAsync(node);
    }

    private async Task<NodeUnderTest> CreateAsync() =>
        await NodeUnderTest.CreateAsync(await postgres.CreateDatabaseAsync(Cancel), Schema, "a, b", Cancel);
}
