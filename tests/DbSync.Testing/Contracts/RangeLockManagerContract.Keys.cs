using DbSync.Locking;
using Shouldly;
using Xunit;
using static DbSync.Testing.Contracts.LockTesting;

namespace DbSync.Testing.Contracts;

public abstract partial class RangeLockManagerContract
{
    public static TheoryData<string> KindsOfKeys => [.. KindOfRange.Values.Keys];

    [Theory]
    [MemberData(nameof(KindsOfKeys))]
    public async Task Every_kind_of_range_over_every_kind_of_key_keeps_out_exactly_what_overlaps_it(string kind)
    {
        var ranges = KindOfRange.Of(KindOfRange.Values[kind]);
        foreach (var held in ranges)
        {
            await using var first = await Acquire(held.Range, X);
            foreach (var asked in ranges)
            {
                await using var second = await Try(asked.Range, S);
                (second is null).ShouldBe(held.Overlaps(asked), $"{kind}: {asked.Name} while {held.Name} is held");
            }
        }
    }

    [Fact]
    public async Task Resources_with_hostile_names_are_distinct()
    {
        string[] names = [$"{Table}}}x", $"{Table}%7Dx", $"{Table}}}:m", $"{{{Table}}}", $"{Table}\r\nFLUSHALL\r\n", $"{Table}*", $"{Table}:1:x", $"{Table}ä", $"{Table}a\u0308", Table.Name.ToUpperInvariant()];
        var held = new List<RangeLock>();
        foreach (var name in names)
        {
            var taken = await Locks.TryAcquireAsync(name, KeyRange.All, X, Someone());
            held.Add(taken.ShouldNotBeNull(name));
        }

        foreach (var name in names) (await Locks.TryAcquireAsync(name, KeyRange.Single(1), S, Someone())).ShouldBeNull(name);
        var listed = await Locks.Inspector.ListResourcesAsync(CancellationToken.None);
        names.ShouldBeSubsetOf(listed.Select(resource => resource.Name));
        foreach (var one in held) await one.DisposeAsync();
    }
}
