using System.Text;

namespace DbSync.Tests.Sharding;

/// <summary>Expected values were printed by PostgreSQL 15; the server tests compare many more.</summary>
public sealed class PostgresHashTests
{
    private const string Sentence = "The quick brown fox jumps over the lazy dog äöü";

    [Theory]
    [InlineData(0, -5000000000, -75021989419856627)]
    [InlineData(1, -5000000000, 5213656995621023156)]
    [InlineData(2, -5000000000, -4979161050358357085)]
    [InlineData(3, -5000000000, -5437462824850130638)]
    [InlineData(4, -5000000000, 6481814063426462995)]
    [InlineData(5, -5000000000, 3539721477632091364)]
    [InlineData(6, -5000000000, 1892437102575347299)]
    [InlineData(7, -5000000000, -1782279378480746876)]
    [InlineData(8, -5000000000, -4078109616229725088)]
    [InlineData(9, -5000000000, 3268372086996572785)]
    [InlineData(10, -5000000000, 2390829227096245513)]
    [InlineData(11, -5000000000, 8676023269152267336)]
    [InlineData(12, -5000000000, -5436710336636350262)]
    [InlineData(13, -5000000000, -7865909584111921909)]
    [InlineData(23, -5000000000, 5352736693820828995)]
    [InlineData(24, -5000000000, -2010267371697180521)]
    [InlineData(25, -5000000000, 2161686418502903138)]
    [InlineData(35, -5000000000, -6836226695091925562)]
    [InlineData(43, -5000000000, 2940380362292595240)]
    [InlineData(47, -5000000000, -9127970890320582755)]
    [InlineData(0, 0, -6939563903564495251)]
    [InlineData(1, 0, -1338225982912146468)]
    [InlineData(2, 0, 5593687159563776749)]
    [InlineData(3, 0, -7897229297791927534)]
    [InlineData(4, 0, 1214481609633084541)]
    [InlineData(5, 0, -985326184270896746)]
    [InlineData(6, 0, 3470145380339167397)]
    [InlineData(7, 0, -2752675330521770124)]
    [InlineData(8, 0, -1544529330263215465)]
    [InlineData(9, 0, -3165377590426475634)]
    [InlineData(10, 0, 6613948839295992241)]
    [InlineData(11, 0, 2869438648668390509)]
    [InlineData(12, 0, -9210305663925663560)]
    [InlineData(13, 0, -3863872140344080773)]
    [InlineData(23, 0, -6349138520123274615)]
    [InlineData(24, 0, 8360766130984247540)]
    [InlineData(25, 0, -6568008242738964476)]
    [InlineData(35, 0, -5603389817488540983)]
    [InlineData(43, 0, 2182139051089226439)]
    [InlineData(47, 0, 8557138715105711552)]
    [InlineData(0, 77, -1368670251987650551)]
    [InlineData(1, 77, -5408767702076826961)]
    [InlineData(2, 77, -4017149727562515107)]
    [InlineData(3, 77, -5626168692561191268)]
    [InlineData(4, 77, -5270711997716020212)]
    [InlineData(5, 77, 92057896021390644)]
    [InlineData(6, 77, -6651822833903028086)]
    [InlineData(7, 77, -6646276005163120671)]
    [InlineData(8, 77, 2972200456524651845)]
    [InlineData(9, 77, 1127394615775230897)]
    [InlineData(10, 77, -8760408090998210678)]
    [InlineData(11, 77, -503413500519625472)]
    [InlineData(12, 77, 1223982114966543375)]
    [InlineData(13, 77, -796211819895933322)]
    [InlineData(23, 77, -5608034585384153696)]
    [InlineData(24, 77, 4232178152098331248)]
    [InlineData(25, 77, -6618921774017621223)]
    [InlineData(35, 77, -2323424707198360592)]
    [InlineData(43, 77, 1406705507136104406)]
    [InlineData(47, 77, 202407458063794113)]
    public void Text_of_every_tail_length_hashes_as_hashtextextended(int characters, long seed, long expected) =>
        ((long)PostgresHash.OfBytes(Encoding.UTF8.GetBytes(Sentence[..characters]), (ulong)seed)).ShouldBe(expected);

    [Theory]
    [InlineData(0, 0, 4154612158245552303)]
    [InlineData(1, 0, -3670598878359251130)]
    [InlineData(1, 99, -6144266213037784673)]
    [InlineData(-1, 0, -1888257769727981238)]
    [InlineData(-42, 99, 7739058668037095906)]
    [InlineData(int.MinValue, 0, 1977219185673256887)]
    [InlineData(2147483648, 0, 1977219185673256887)]
    [InlineData(long.MaxValue, 0, 1977219185673256887)]
    [InlineData(long.MinValue, 99, -6602753131832540600)]
    [InlineData(1311768467463790320, 0, 1258511144949373030)]
    public void Integers_hash_as_hashint8extended(long value, long seed, long expected) =>
        ((long)PostgresHash.OfInteger(value, (ulong)seed)).ShouldBe(expected);

    [Theory]
    [InlineData(0, 4462459420613485749)]
    [InlineData(5, -1695993345722519903)]
    public void A_uuid_hashes_as_uuid_hash_extended(long seed, long expected) =>
        ((long)PostgresHash.OfUuid(Guid.Parse("00112233-4455-6677-8899-aabbccddeeff"), (ulong)seed)).ShouldBe(expected);

    [Fact]
    public void A_bool_hashes_as_a_char()
    {
        ((long)PostgresHash.OfBoolean(true)).ShouldBe(-3670598878359251130);
        ((long)PostgresHash.OfBoolean(false)).ShouldBe(4154612158245552303);
    }

    [Fact]
    public void A_record_combines_its_columns_in_order_and_a_record_of_one_is_its_column()
    {
        var one = PostgresHash.OfInteger(1);
        PostgresHash.Combine(0, one).ShouldBe(one);

        // SELECT hash_record_extended(ROW(1::bigint, 'a'::text), 0)
        ((long)PostgresHash.Combine(one, PostgresHash.OfBytes("a"u8))).ShouldBe(483885392970596907);
    }
}
