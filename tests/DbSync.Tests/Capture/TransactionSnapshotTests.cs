using CsCheck;

namespace DbSync.Tests.Capture;

public sealed class TransactionSnapshotTests
{
    private const ulong Half = 0x8000_0000;

    // The primary's own definition: everything below xmax that was not running.
    private static readonly Gen<TransactionSnapshot> AnySnapshot =
        from xmin in Gen.ULong[3, 1UL << 40]
        from running in Gen.ULong[0, 40].HashSet[0, 10]
        let ids = running.Select(r => xmin + r).Order().ToArray()
        select new TransactionSnapshot(ids.Length == 0 ? xmin : ids[0], xmin + 41, [.. ids]);

    [Fact]
    public void A_snapshot_sees_what_had_ended_when_it_was_taken() =>
        Gen.Select(AnySnapshot, Gen.ULong[0, 80]).Sample((snapshot, offset) =>
        {
            var xid = snapshot.Xmin - 3 + offset;
            snapshot.Sees(xid).ShouldBe(xid < snapshot.Xmax && !snapshot.Running.Contains(xid));
        });

    [Fact]
    public void A_snapshot_survives_its_text_form() =>
        AnySnapshot.Sample(snapshot =>
        {
            var parsed = TransactionSnapshot.Parse(snapshot.ToString());
            (parsed.Xmin, parsed.Xmax).ShouldBe((snapshot.Xmin, snapshot.Xmax));
            parsed.Running.ShouldBe(snapshot.Running);
        });

    [Fact]
    public void A_snapshot_whose_running_ids_come_unordered_sees_the_same() =>
        TransactionSnapshot.Parse("10:20:17,12,15").Sees(12).ShouldBeFalse();

    [Fact]
    public void Widening_finds_the_nearest_id_with_these_low_bits() =>
        Gen.Select(Gen.ULong[3, 1UL << 45], Gen.Long[-(long)Half + 1, (long)Half - 1]).Sample((near, offset) =>
        {
            if (offset < 0 && near < (ulong)-offset) return;
            var xid = near + (ulong)offset;
            TransactionSnapshot.Widen((uint)xid, near).ShouldBe(xid);
        }, iter: 20_000);

    [Theory]
    [InlineData(0xFFFF_FFFEu, 0x1_0000_0005UL, 0xFFFF_FFFEUL)] // before the epoch's turn, seen from after it
    [InlineData(0x0000_0003u, 0xFFFF_FFF0UL, 0x1_0000_0003UL)] // after the turn, seen from before it
    [InlineData(0x0000_0003u, 0x5UL, 0x3UL)]
    [InlineData(0xFFFF_FFF0u, 0x5UL, 0xFFFF_FFF0UL)] // the first epoch has none before it
    [InlineData(0x0000_0004u, 0x2_FFFF_FFFFUL, 0x3_0000_0004UL)]
    public void Widening_crosses_the_turn_of_an_epoch(uint xid, ulong near, ulong expected) =>
        TransactionSnapshot.Widen(xid, near).ShouldBe(expected);
}
