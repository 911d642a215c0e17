using System.Globalization;
using System.Text;
using DbSync.Testing;
using Npgsql;

namespace DbSync.Postgres.Tests.Sharding;

[Trait("Needs", "Server")]
public sealed class ServerHashTests(PostgresFixture postgres, Postgres18Fixture postgres18) : IClassFixture<Postgres18Fixture>
{
    /// <summary>Per type; DBSYNC_TEST_HASH_ROWS=1000000 makes it the million that was promised.</summary>
    private static readonly int Rows =
        int.Parse(Environment.GetEnvironmentVariable("DBSYNC_TEST_HASH_ROWS") ?? "20000", CultureInfo.InvariantCulture);

    public static TheoryData<int, string> Types =>
        new(RandomValues.All.Select((values, at) => new TheoryDataRow<int, string>(at, values.Type)));

    [Theory]
    [MemberData(nameof(Types))]
    public async Task Random_values_hash_here_as_on_the_server(int at, string type)
    {
        RandomValues.All[at].Type.ShouldBe(type);
        await CompareAsync(RandomValues.All[at], await OpenAsync(postgres), TestContext.Current.CancellationToken);
    }

    [Fact(SkipUnless = nameof(Postgres18Fixture.IsAvailable), SkipType = typeof(Postgres18Fixture), Skip = Postgres18Fixture.SkipReason)]
    public async Task And_as_on_PostgreSQL_18()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        foreach (var values in RandomValues.All) await CompareAsync(values, await OpenAsync(postgres18), cancellationToken);
        await using var connection = await OpenAsync(postgres18);
        await HashCheck.RunAsync(connection, cancellationToken);
    }

    [Fact]
    public async Task The_server_gives_the_known_answers()
    {
        await using var connection = await OpenAsync(postgres);
        await HashCheck.RunAsync(connection, TestContext.Current.CancellationToken);
    }

    [Theory]
    [InlineData("hashint8extended(-42::int8, 0)", "-42::int4")]
    [InlineData("hashint2extended(7::int2, 0)", "7::int8")]
    [InlineData("hashtextextended('é', 0)", "'é'::varchar")]
    [InlineData("uuid_hash_extended('00112233-4455-6677-8899-aabbccddeeff', 0)", "'00112233-4455-6677-8899-aabbccddeeff'::uuid")]
    [InlineData("hash_numeric_extended(1.5, 0)", "1.500")]
    public async Task The_hash_of_a_record_of_one_column_is_that_of_the_column(string plain, string value)
    {
        await using var connection = await OpenAsync(postgres);
        await using var command = new NpgsqlCommand($"SELECT {plain} = hash_record_extended(ROW({value}), 0)", connection);
        (await command.ExecuteScalarAsync(TestContext.Current.CancellationToken)).ShouldBe(true);
    }

    private static async Task CompareAsync(RandomValues values, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        const ulong OtherSeed = 81985529216486895;
        await using var opened = connection;
        var copy = $"COPY ({values.Query(Rows)}) TO STDOUT (FORMAT binary)";
        await using var export = await connection.BeginBinaryExportAsync(copy, cancellationToken);
        var cell = new ChangeBuffer(1024);
        var compared = 0;
        for (; await export.StartRowAsync(cancellationToken) > 0; compared++)
        {
            var wire = await export.ReadAsync<string>(cancellationToken);
            cell.Clear();
            values.Codec.DecodeText(Encoding.UTF8.GetBytes(wire), cell);
            Check(0, await export.ReadAsync<long>(cancellationToken));
            Check(OtherSeed, await export.ReadAsync<long>(cancellationToken));

            void Check(ulong seed, long expected)
            {
                var encoded = cell.Written;
                var actual = (long)PostgresHash.OfCell(values.Kind, Cell.Read(ref encoded), seed);
                if (actual != expected) Assert.Fail($"{values.Type} '{wire}' hashes to {actual}, on the server to {expected}.");
            }
        }

        compared.ShouldBe(Rows);
    }

    private static async Task<NpgsqlConnection> OpenAsync(PostgresFixture fixture)
    {
        var server = await fixture.GetServerAsync(TestContext.Current.CancellationToken);
        var settings = new NpgsqlConnectionStringBuilder(server.ConnectionString) { Timezone = "UTC" };
        var connection = new NpgsqlConnection(settings.ConnectionString);
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        return connection;
    }
}
