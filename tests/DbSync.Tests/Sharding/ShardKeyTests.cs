namespace DbSync.Tests.Sharding;

public sealed class ShardKeyTests
{
    private static readonly ShardKey Key = new("orders", [new(2, "customer", HashKind.Integer), new(0, "region", HashKind.Text)]);

    [Fact]
    public void The_bucket_of_a_row_is_that_of_its_key_columns_in_key_order()
    {
        var expected = PostgresHash.Combine(PostgresHash.OfInteger(7), PostgresHash.OfBytes("eu"u8));
        Key.BucketOf(Row("eu", 7).Written).ShouldBe(Bucket.OfHash(expected));
    }

    [Fact]
    public void A_null_key_is_refused_by_name()
    {
        var refusal = Should.Throw<DbSyncException>(() => Key.BucketOf(Row("eu", null).Written));
        refusal.Code.ShouldBe(ErrorCodes.NullShardKey);
        refusal.Message.ShouldContain("customer");
    }

    [Fact]
    public void Routing_a_row_allocates_nothing()
    {
        var row = Row("europe", 123456);
        _ = Key.BucketOf(row.Written);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var time = 0; time < 1000; time++) _ = Key.BucketOf(row.Written);
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(0);
    }

    [Theory]
    [InlineData(701, false, true, true, "floating-point")]
    [InlineData(99999, true, true, true, "enum")]
    [InlineData(25, false, false, true, "collation")]
    [InlineData(1043, false, true, false, "UTF-8")]
    [InlineData(3802, false, true, true, "does not compute")]
    public void What_cannot_be_hashed_alike_is_refused_with_the_reason(uint type, bool isEnum, bool deterministic, bool utf8, string reason)
    {
        var column = new ShardKeyType("t", "c", "type", type, isEnum, deterministic, utf8);
        var refusal = Should.Throw<DbSyncException>(() => column.ToHashKind());
        refusal.Code.ShouldBe(ErrorCodes.UnsupportedShardKey);
        refusal.Message.ShouldContain(reason);
    }

    [Fact]
    public void This_process_gives_the_known_answers()
    {
        long[] answers = [.. HashVectors.All.Select(vector => vector.Expected), HashVectors.RecordExpected];
        HashVectors.Check(answers);
        answers[3]++;
        Should.Throw<DbSyncException>(() => HashVectors.Check(answers)).Code.ShouldBe(ErrorCodes.HashMismatch);
    }

    private static ChangeBuffer Row(string region, long? customer)
    {
        var row = new ChangeBuffer(64);
        row.WriteText(System.Text.Encoding.UTF8.GetBytes(region));
        row.WriteNull();
        if (customer is { } id) row.WriteInteger(id);
        else row.WriteNull();
        return row;
    }
}
