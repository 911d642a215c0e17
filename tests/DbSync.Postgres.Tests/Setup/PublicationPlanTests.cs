namespace DbSync.Postgres.Tests.Setup;

public sealed class PublicationPlanTests
{
    private static readonly HashSet<string> Nothing = [];

    [Fact]
    public void Tables_with_a_primary_key_or_full_identity_are_taken()
    {
        var plan = Plan(Table("orders"), Table("log") with { HasPrimaryKey = false, Identity = ReplicaIdentity.Full });

        plan.Tables.Select(t => t.Name).ShouldBe(["orders", "log"]);
        plan.Refused.ShouldBeEmpty();
    }

    [Fact]
    public void Without_a_key_a_unique_index_is_offered_and_else_full() => Fixes(
        Table("a") with { HasPrimaryKey = false, UniqueIndex = "a_code" },
        Table("b") with { HasPrimaryKey = false },
        Table("c") with { Identity = ReplicaIdentity.Nothing }).ShouldBe(
    [
        "ALTER TABLE \"public\".\"a\" REPLICA IDENTITY USING INDEX \"a_code\";",
        "ALTER TABLE \"public\".\"b\" REPLICA IDENTITY FULL;",
        "ALTER TABLE \"public\".\"c\" REPLICA IDENTITY DEFAULT;",
    ]);

    [Fact]
    public void A_partition_with_another_identity_is_named_in_the_fix() =>
        Fixes(Table("p") with { UnlikePartitions = ["public.p1"] }).ShouldBe(["ALTER TABLE public.p1 REPLICA IDENTITY DEFAULT;"]);

    [Fact]
    public void A_generated_key_column_is_refused_before_18_only()
    {
        var table = Table("g") with { HasGeneratedKey = true };

        PublicationPlan.Of([table], null, Nothing, 170000).Refused.ShouldHaveSingleItem().Code.ShouldBe(ErrorCodes.TableWithoutIdentity);
        PublicationPlan.Of([table], null, Nothing, 180000).Refused.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("sqlite_master")]
    [InlineData("SQLite_x")]
    [InlineData("dbsync.shard")]
    public void Names_that_SQLite_or_a_shard_keeps_are_refused(string name) =>
        Plan(Table(name)).Refused.ShouldHaveSingleItem().Code.ShouldBe(ErrorCodes.NameCollision);

    [Fact]
    public void Columns_that_differ_by_case_are_refused() =>
        Plan(Table("t") with { Columns = ["Id", "id"] }).Refused.ShouldHaveSingleItem().Code.ShouldBe(ErrorCodes.NameCollision);

    [Fact]
    public void Of_two_names_that_are_one_in_SQLite_the_published_one_stays()
    {
        var tables = new[] { Table("Orders"), Table("orders"), Table("orders") with { Schema = "sales" } };

        PublicationPlan.Of(tables, null, Nothing, 170000).Tables.ShouldHaveSingleItem().Schema.ShouldBe("sales");
        var later = PublicationPlan.Of(tables, null, new HashSet<string> { "orders" }, 170000);
        later.Tables.Select(t => t.ReplicaName).ShouldBe(["orders", "sales.orders"]);
        later.Refused.ShouldHaveSingleItem().Table.ShouldBe("Orders");
    }

    [Fact]
    public void Naming_a_table_that_can_not_be_published_throws_its_code()
    {
        var tables = new[] { Table("a") with { HasPrimaryKey = false }, Table("b") };

        Should.Throw<DbSyncException>(() => PublicationPlan.Of(tables, ["a"], Nothing, 170000)).Code.ShouldBe(ErrorCodes.TableWithoutIdentity);
        Should.Throw<DbSyncException>(() => PublicationPlan.Of(tables, ["x"], Nothing, 170000)).Code.ShouldBe(ErrorCodes.UnknownTable);
        PublicationPlan.Of(tables, ["public.b"], Nothing, 170000).Tables.ShouldHaveSingleItem().Name.ShouldBe("b");
    }

    [Fact]
    public void Unlogged_tables_come_with_the_statement() =>
        Fixes(Table("u") with { IsPermanent = false }).ShouldBe(["ALTER TABLE \"public\".\"u\" SET LOGGED;"]);

    private static PublicationPlan Plan(params TableFacts[] tables) => PublicationPlan.Of(tables, null, Nothing, 170000);

    private static IEnumerable<string?> Fixes(params TableFacts[] tables) => Plan(tables).Refused.Select(r => r.Fix);

    private static TableFacts Table(string name) =>
        new("public", name, true, false, false, true, ReplicaIdentity.Default, true, false, null, false, [], ["id", "name"]);
}
