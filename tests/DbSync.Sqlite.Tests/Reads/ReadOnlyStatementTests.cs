using Microsoft.Data.Sqlite;

namespace DbSync.Sqlite.Tests.Reads;

public sealed class ReadOnlyStatementTests
{
    [Theory]
    [InlineData("SELECT 1")]
    [InlineData("select * from t; -- nothing follows")]
    [InlineData("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT i FROM n")]
    [InlineData("VALUES (1), (2)")]
    [InlineData("EXPLAIN QUERY PLAN SELECT * FROM t")]
    public void What_only_reads_passes(string sql) => Should.NotThrow(() => Check(sql));

    [Theory]
    [InlineData("")]
    [InlineData("-- nothing")]
    [InlineData("SELECT 1; SELECT 2")]
    [InlineData("DELETE FROM t")]
    [InlineData("WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a")]
    [InlineData("PRAGMA journal_mode = DELETE")]
    [InlineData("PRAGMA query_only = OFF")]
    [InlineData("ATTACH 'other.db' AS other")]
    [InlineData("BEGIN IMMEDIATE")]
    [InlineData("VACUUM INTO 'copy.db'")]
    [InlineData("SELECT * FROM missing")]
    public void Everything_else_is_refused(string sql) => Should.Throw<DbSyncException>(() => Check(sql)).Code.ShouldBe(ErrorCodes.ReadOnlyQuery);

    [Fact]
    public void The_tables_read_are_told()
    {
        Check("SELECT count(*) FROM t").ShouldBe(["t"]);
    }

    private static List<string> Check(string sql)
    {
        SQLitePCL.Batteries_V2.Init();
        using var connection = new SqliteConnection("Data Source=:memory:");
        connection.Open();
        using (var create = connection.CreateCommand())
        {
            create.CommandText = "CREATE TABLE t (i INTEGER)";
            create.ExecuteNonQuery();
        }
        var read = new List<string>();
        ReadOnlyStatement.Enforce(connection, read.Add);
        ReadOnlyStatement.Check(connection, sql);
        return read.Distinct().ToList();
    }
}
