using System.Data.Common;
using DbSync.EntityFrameworkCore.Replicas;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace DbSync.EntityFrameworkCore.Tests.Replicas;

public sealed class ReusedCommandTests : IDisposable
{
    private const string Sql = "SELECT name FROM item WHERE id = @id";
    private readonly ReusingConnection _connection = new("Data Source=:memory:");

    public ReusedCommandTests()
    {
        Batteries_V2.Init();
        _connection.Open();
        _connection.Handle!.enable_sqlite3_next_stmt(true);
        Run("CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO item VALUES (1, 'one'), (2, 'two')");
    }

    public void Dispose() => _connection.Dispose();

    [Fact]
    public void A_text_is_prepared_once_and_each_run_has_its_own_parameters()
    {
        Read(1).ShouldBe("one");
        var kept = Kept();
        kept.ShouldHaveSingleItem();
        Read(2).ShouldBe("two");
        Read(3).ShouldBeNull();
        Kept().ShouldBe(kept);
        Should.Throw<InvalidOperationException>(() => Read(id: null)); // the parameter of the last run is nobody's
    }

    [Fact]
    public void A_query_inside_of_its_like_has_a_statement_of_its_own()
    {
        using var outer = Command(1);
        using var rows = outer.ExecuteReader();
        rows.Read().ShouldBeTrue();
        Read(2).ShouldBe("two");
        rows.GetString(0).ShouldBe("one");
    }

    [Fact]
    public void What_failed_or_is_still_read_is_not_kept()
    {
        Should.Throw<SqliteException>(() => Read(1, "SELECT abs(-9223372036854775808) FROM item WHERE id = @id"));
        Kept().ShouldBeEmpty();
        var command = Command(1);
        using var rows = command.ExecuteReader();
        command.Dispose();
        rows.Dispose();
        Kept().ShouldBeEmpty();
    }

    [Fact]
    public void A_kept_statement_follows_the_schema()
    {
        Read(1).ShouldBe("one");
        Run("ALTER TABLE item ADD COLUMN more TEXT; ALTER TABLE item RENAME TO old; CREATE VIEW item AS SELECT id, upper(name) AS name FROM old");
        Read(1).ShouldBe("ONE");
        Run("DROP VIEW item");
        Should.Throw<SqliteException>(() => Read(1)).Message.ShouldContain("no such table");
        Run("ALTER TABLE old RENAME TO item");
        Read(2).ShouldBe("two");
    }

    [Fact]
    public void Another_text_takes_the_parameters_along()
    {
        using var command = Command(2);
        command.CommandText = "SELECT upper(name) FROM item WHERE id = @id";
        command.ExecuteScalar().ShouldBe("TWO");
    }

    [Fact]
    public void Texts_without_end_are_forgotten()
    {
        for (var i = 0; i < 1000; i++) Read(1, $"{Sql} AND {i} = {i}").ShouldBe("one");
        Kept().Count.ShouldBeLessThan(200);
    }

    private string? Read(int? id, string sql = Sql)
    {
        using var command = Command(id, sql);
        using var reader = command.ExecuteReader();
        return reader.Read() ? reader.GetString(0) : null;
    }

    private DbCommand Command(int? id, string sql = Sql)
    {
        var command = ((DbConnection)_connection).CreateCommand();
        command.CommandText = sql;
        if (id is null) return command;
        var parameter = command.CreateParameter();
        (parameter.ParameterName, parameter.Value) = ("@id", id);
        command.Parameters.Add(parameter);
        return command;
    }

    private void Run(string sql)
    {
        using var command = _connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    /// <summary>The statements that SQLite holds for the connection.</summary>
    private List<nint> Kept()
    {
        var kept = new List<nint>();
        for (var statement = raw.sqlite3_next_stmt(_connection.Handle, null); statement is not null; statement = raw.sqlite3_next_stmt(_connection.Handle, statement))
            kept.Add(statement.DangerousGetHandle());
        return kept;
    }
}
