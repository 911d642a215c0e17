using DbSync.Postgres.Types;

namespace DbSync.Postgres.Tests.Types;

/// <summary>Every value of the table leaves a real server both ways and becomes the same cell, with the same canonical form on both sides.</summary>
[Trait("Needs", "Server")]
public sealed class StorageContractTests(TypeDatabase database) : IClassFixture<TypeDatabase>
{
    public static TheoryData<string, string, string, bool> Cases => StorageContractCases.All;

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task A_value_is_stored_as_the_contract_says_on_both_paths(string type, string expression, string cell, bool readable)
    {
        var codec = await database.CodecAsync(type);
        var source = $"(SELECT ({expression})::{type} AS v) AS source";
        var text = (await database.TextAsync($"SELECT v FROM {source}")).ShouldHaveSingleItem().ShouldNotBeNull();
        var binary = (await database.BinaryAsync($"SELECT {codec.CopySql("v")} FROM {source}")).ShouldHaveSingleItem().ShouldNotBeNull();
        var castText = (await database.BinaryAsync($"SELECT v::text FROM {source}")).ShouldHaveSingleItem().ShouldNotBeNull();

        var fromText = new ChangeBuffer(16);
        codec.DecodeText(text, fromText).ShouldBe(readable);
        Shown(CellText.Of(fromText)).ShouldBe(Shown(cell));

        var fromBinary = new ChangeBuffer(16);
        codec.DecodeBinary(binary, fromBinary).ShouldBe(readable);
        fromBinary.Written.SequenceEqual(fromText.Written).ShouldBeTrue($"the binary path stored {Shown(CellText.Of(fromBinary))}");

        if (!codec.HasBinary && castText.Length > 0)
        {
            var fromCast = new ChangeBuffer(16);
            codec.DecodeText(castText, fromCast);
            Shown(CellText.Of(fromCast)).ShouldBe(Shown(cell));
        }

        var canonical = (await database.StringsAsync($"SELECT {codec.CanonicalSql("v")} FROM {source}")).ShouldHaveSingleItem();
        Shown(TypeDatabase.Canonical(codec, Only(fromText))).ShouldBe(Shown(canonical!));
    }

    [Theory]
    [MemberData(nameof(Types))]
    public async Task NULL_is_NULL_on_both_paths_and_has_no_canonical_form(string type)
    {
        var codec = await database.CodecAsync(type);
        var source = $"(SELECT NULL::{type} AS v) AS source";
        (await database.TextAsync($"SELECT v FROM {source}")).ShouldBe([null]);
        (await database.BinaryAsync($"SELECT {codec.CopySql("v")} FROM {source}")).ShouldBe([null]);
        (await database.StringsAsync($"SELECT {codec.CanonicalSql("v")} FROM {source}")).ShouldBe([null]);
    }

    public static TheoryData<string> Types => [.. StorageContractCases.All.Select(row => row.Data.Item1).Distinct().Where(type => type is not ("posint" or "nested"))];

    // A megabyte in a failure message helps nobody.
    private static string Shown(string value) => value.Length <= 300 ? value : $"{value[..40]}... ({value.Length} characters, hash {StableHash(value):x8})";

    private static uint StableHash(string value) => value.Aggregate(2166136261u, (hash, c) => (hash ^ c) * 16777619u);

    private static Cell Only(ChangeBuffer buffer)
    {
        var encoded = buffer.Written;
        return Cell.Read(ref encoded);
    }
}
