using System.Linq.Expressions;
using DbSync.Locking;
using DbSync.Testing.Contracts;
using Microsoft.EntityFrameworkCore;

namespace DbSync.EntityFrameworkCore.Tests.Locking;

/// <summary>What the model says of a key: the resource, and bytes that are equal exactly when PostgreSQL stores equal values.</summary>
public sealed class LockKeyTests
{
    private readonly InMemoryRangeLockManager _locks = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_resource_is_the_table_and_for_other_columns_the_table_with_them()
    {
        await using var db = Context();
        (await Taken(db.Seats, s => s.Id, 3, 3)).Resource.Name.ShouldBe("public.seats");
        (await Taken(db.Seats, s => s.Row, 3, 3)).Resource.Name.ShouldBe("public.seats(row_number)");
        (await Taken(db.Bookings, b => b.Tenant, "a", "a")).Resource.Name.ShouldBe("public.bookings");
        (await Taken(db.Odds, o => o.Day, default, default)).Resource.Name.ShouldBe("other.odds(Day)");
        (await db.Seats.LockAllAsync(LockMode.Shared, LockTesting.Someone(), Cancel)).Ranges.ShouldBe([KeyRange.All]);
    }

    [Fact]
    public async Task Both_ends_belong_to_a_range_and_several_are_one_request()
    {
        await using var db = Context();
        (await Taken(db.Seats, s => s.Id, 14, 17)).Ranges.ShouldBe([KeyRange.Closed(14, 17)]);
        (await db.Seats.LockRangesAsync(s => s.Id, [(1, 2), (3, 3), (8, 9)], LockMode.Exclusive, LockTesting.Someone(), Cancel)).Ranges
            .ShouldBe([KeyRange.Closed(1, 3), KeyRange.Closed(8, 9)]);
        (await db.Seats.TryLockRangeAsync(s => s.Id, 9, 20, LockMode.Shared, LockTesting.Someone(), Cancel)).ShouldBeNull();
        (await db.Seats.TryLockRangeAsync(s => s.Id, 10, 13, LockMode.Shared, LockTesting.Someone(), Cancel)).ShouldNotBeNull();
        (await Should.ThrowAsync<DbSyncException>(async () => await Taken(db.Seats, s => s.Id, 17, 14))).Code.ShouldBe("DBS6004");
    }

    [Fact]
    public async Task Composite_keys_are_compared_part_by_part_and_their_first_parts_stand_for_all_that_begin_with_them()
    {
        await using var db = Context();
        var one = await Taken(db.Bookings, b => new { b.Tenant, b.Number }, new { Tenant = "a", Number = 5L }, new { Tenant = "a", Number = 9L });
        one.Ranges.ShouldBe([KeyRange.Closed(RangeKey.Composite("a", 5), RangeKey.Composite("a", 9))]);
        (await db.Bookings.TryLockRangeAsync(b => b.Tenant, "a", "a", LockMode.Exclusive, LockTesting.Someone(), Cancel)).ShouldBeNull();
        (await db.Bookings.TryLockRangeAsync(b => b.Tenant, "b", "z", LockMode.Exclusive, LockTesting.Someone(), Cancel)).ShouldNotBeNull();
    }

    [Fact]
    public async Task Values_that_PostgreSQL_stores_alike_are_one_key()
    {
        await using var db = Context();
        var noon = new DateTime(2026, 5, 1, 12, 0, 0, DateTimeKind.Utc);
        var id = Guid.NewGuid();
        await Same(db.Odds, o => o.Id, id, id);
        await Same(db.Odds, o => o.Price, 1.005m, 1.01m);
        await Same(db.Odds, o => o.Price, -1.005m, -1.01m);
        await Same(db.Odds, o => o.Code, "ab", "ab   ");
        await Same(db.Odds, o => o.Moment, noon.AddTicks(7), noon);
        await Same(db.Odds, o => o.Wall, DateTime.SpecifyKind(noon, DateTimeKind.Unspecified), noon);
        await Same(db.Odds, o => o.Millis, new DateTimeOffset(noon.AddTicks(5_001)), new DateTimeOffset(noon.AddHours(2).AddMilliseconds(1).Ticks, TimeSpan.FromHours(2)));
        await Same(db.Odds, o => o.Level, (short)4, (short?)4);
        await Same(db.Odds, o => o.Bytes, [0, 1], [0, 1]);
        (await Taken(db.Odds, o => o.Kind, Kind.Large, Kind.Large)).Ranges.ShouldBe([KeyRange.Single("Large")]);
        (await Taken(db.Odds, o => o.Day, new DateOnly(2026, 1, 2), new DateOnly(2026, 1, 3))).Ranges.ShouldBe(
            [KeyRange.Closed(new DateTime(2026, 1, 2), new DateTime(2026, 1, 3))]);
    }

    [Fact]
    public async Task What_has_no_order_that_both_sides_share_is_refused_by_name()
    {
        await using var db = Context();
        await Refused(async () => await Taken(db.Odds, o => o.Weight, 1.0, 2.0));
        await Refused(async () => await Taken(db.Odds, o => o.Email, "a", "a"));
        await Refused(async () => await Taken(db.Odds, o => o.Name, "a", "b"));
        await Refused(async () => await Taken(db.Odds, o => o.Level, null, null));
        await Refused(async () => await Taken(db.Odds, o => o.Moment, new DateTime(2026, 1, 1), new DateTime(2026, 1, 1)));
        await Refused(async () => await Taken(db.Odds, o => o.Name.Length, 1, 2));
        await Refused(async () => await Taken(db.Bookings, b => new { b.Number, b.Tenant }, new { Number = 1L, Tenant = "a" }, new { Number = 1L, Tenant = "a" }));
        (await Taken(db.Odds, o => o.Name, "a", "a")).Ranges.ShouldBe([KeyRange.Single("a")]);
        await using var plain = new SeatContext(new DbContextOptionsBuilder<SeatContext>().UseNpgsql("Host=nowhere").Options);
        (await Should.ThrowAsync<DbSyncException>(async () => await Taken(plain.Seats, s => s.Id, 1, 2))).Code.ShouldBe("DBS7003");
    }

    private SeatContext Context() => new(new DbContextOptionsBuilder<SeatContext>().UseNpgsql("Host=nowhere").UseRangeLocks(_locks, new NoFence()).Options);

    private static async Task<RangeLock> Taken<TEntity, TKey>(DbSet<TEntity> set, Expression<Func<TEntity, TKey>> key, TKey low, TKey high)
        where TEntity : class => await set.LockRangeAsync(key, low, high, LockMode.Shared, LockTesting.Someone(), Cancel);

    private static async Task Same<TKey>(DbSet<Odd> set, Expression<Func<Odd, TKey>> key, TKey left, TKey right) =>
        (await Taken(set, key, left, left)).Ranges.ShouldBe((await Taken(set, key, right, right)).Ranges);

    private static async Task Refused(Func<Task> action) => (await Should.ThrowAsync<DbSyncException>(action)).Code.ShouldBe("DBS6013");

    private sealed class NoFence : IFence
    {
        public ValueTask RegisterAsync(RangeLock rangeLock, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask RegisterAsync(System.Data.Common.DbConnection connection, RangeLock rangeLock, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask GuardAsync(System.Data.Common.DbTransaction transaction, RangeLock rangeLock, CancellationToken cancellationToken) => throw new NotSupportedException();
    }
}
