namespace DbSync.Postgres.Tests.Stream;

public sealed class WireMessagesTests
{
    private static readonly byte[] Keepalive = [(byte)'d', 0, 0, 0, 6, (byte)'k', 0];
    private static readonly byte[] Change = [(byte)'d', 0, 0, 0, 7, (byte)'w', 1, 2];

    [Fact]
    public void Only_a_whole_message_that_is_no_keepalive_counts_as_a_change_that_waits()
    {
        Waits([]).ShouldBeFalse();
        Waits(Keepalive).ShouldBeFalse();
        Waits([.. Keepalive, .. Keepalive]).ShouldBeFalse();
        Waits(Change).ShouldBeTrue();
        Waits([.. Keepalive, .. Change]).ShouldBeTrue();
        Waits([.. Keepalive, .. Change[..^1]]).ShouldBeFalse();
        Waits(Change[..5]).ShouldBeFalse();
    }

    /// <summary>What is said after one message has been taken, which brings the rest with it.</summary>
    private static bool Waits(byte[] rest)
    {
        var messages = new WireMessages(new MemoryStream([.. Change, .. rest]));
        messages.Next(out _).ShouldBe((byte)'d');
        return messages.HasOtherThan((byte)'d', (byte)'k');
    }
}
