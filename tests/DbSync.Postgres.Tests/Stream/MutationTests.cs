using System.Buffers.Binary;
using System.Text;
using DbSync.Testing;

namespace DbSync.Postgres.Tests.Stream;

/// <summary>
/// A decoder that is fed garbage: one kind of exception, nothing of it remembered, no memory beyond the message's own size. The seed and the
/// number of mutations come from <c>DBSYNC_FUZZ_SEED</c> and <c>DBSYNC_FUZZ_COUNT</c>.
/// </summary>
public sealed class MutationTests
{
    private const int Mutations = 60_000;
    private const int MutationsPerMessage = 24;
    private const int AllocatedBytesMax = 64 << 10; // an exception with its stack trace, a pooled part, a resolved relation

    private readonly IReadOnlyList<byte[]> _messages = RecordedStream.Load();

    [Fact]
    public void Garbage_is_refused_without_a_trace()
    {
        var seed = Number("DBSYNC_FUZZ_SEED", 20_261_123);
        var left = Number("DBSYNC_FUZZ_COUNT", Effort.Cases(Mutations));
        var random = new Random(seed);
        var (refused, accepted) = (0, 0);
        while (left > 0)
        {
            var (decoder, text) = (RecordedStream.Decoder(), new StringBuilder());
            for (var i = 0; i < _messages.Count; i++)
            {
                for (var n = 0; n < MutationsPerMessage; n++, left--)
                {
                    var mutant = Mutate(random, _messages[random.Next(4) == 0 ? random.Next(_messages.Count) : i]);
                    if (Refuses(decoder, mutant, seed, () => Before(i)))
                    {
                        refused++;
                        continue;
                    }
                    accepted++;
                    if (mutant[0] is not ((byte)'M' or (byte)'O' or (byte)'Y')) decoder = Before(i); // a server could have sent it: go on without
                }
                RecordedStream.Describe(decoder.Decode(_messages[i]), text);
            }
            text.ToString().ShouldBe(RecordedStream.Golden(), $"seed {seed}");
        }
        refused.ShouldBeGreaterThan(accepted / 4);
    }

    [Fact]
    public void A_message_that_ends_early_or_goes_on_is_refused()
    {
        var (decoder, text) = (RecordedStream.Decoder(), new StringBuilder());
        foreach (var message in _messages)
        {
            if (message[0] is not ((byte)'M' or (byte)'O' or (byte)'Y')) // of these only the kind is read
            {
                for (var length = 0; length < message.Length; length++) Refuses(decoder, message[..length], 0).ShouldBeTrue($"{(char)message[0]}, {length} of {message.Length} bytes");
                Refuses(decoder, [.. message, 0], 0).ShouldBeTrue($"{(char)message[0]} and one byte more");
            }
            RecordedStream.Describe(decoder.Decode(message), text);
        }
        text.ToString().ShouldBe(RecordedStream.Golden());
    }

    [Fact]
    public void Messages_out_of_place_are_refused()
    {
        byte[] First(char kind) => _messages.First(m => m[0] == kind);
        var decoder = RecordedStream.Decoder();
        Refuses(decoder, First('C'), 0).ShouldBeTrue("a commit without a beginning");
        Refuses(decoder, First('I'), 0).ShouldBeTrue("a change outside a transaction");
        decoder.Decode(First('B'));
        Refuses(decoder, First('B'), 0).ShouldBeTrue("a beginning inside a transaction");
        Refuses(decoder, First('I'), 0).ShouldBeTrue("a change of a table that was not announced");
        Refuses(decoder, _messages.Last(m => m[0] == 'C'), 0).ShouldBeTrue("a commit of another transaction");
        decoder.IsInside.ShouldBeTrue();
        decoder.Decode(First('C'))!.ChangeCount.ShouldBe(0);
    }

    /// <summary>
    /// Blocks of transactions in progress are only looked into at the commit, so that garbage within one is met then. Whatever comes, and in
    /// whatever order: it is refused in the one way, or it is a stream; and no file is left.
    /// </summary>
    [Fact]
    public void Garbage_in_blocks_is_refused_at_the_commit_and_leaves_no_file()
    {
        var seed = Number("DBSYNC_FUZZ_SEED", 20_261_123);
        var random = new Random(seed);
        var recorded = RecordedStream.Load(RecordedStream.InBlocks);
        var refused = 0;
        using var directory = new TemporaryDirectory();
        for (var round = Effort.Cases(200); round > 0; round--)
        {
            var messages = recorded.ToList();
            for (var times = random.Next(1, 4); times > 0; times--)
            {
                var at = random.Next(messages.Count);
                if (random.Next(2) == 0) at = messages.FindIndex(at, m => m[0] is (byte)'S' or (byte)'E' or (byte)'A' or (byte)'c') is >= 0 and var control ? control : at;
                switch (random.Next(4))
                {
                    case 0:
                        messages.RemoveAt(at);
                        break;
                    case 1:
                        messages.Insert(at, messages[random.Next(messages.Count)]);
                        break;
                    default:
                        messages[at] = MutateOnce(random, messages[at].ToArray());
                        break;
                }
            }
            var spill = RecordedStream.Spill(directory);
            using (var decoder = RecordedStream.Decoder(spill))
            {
                try
                {
                    RecordedStream.Describe(decoder, messages);
                }
                catch (DbSyncException exception) when (exception.Code == ErrorCodes.MalformedStream)
                {
                    refused++;
                }
                catch (Exception exception)
                {
                    throw new InvalidOperationException($"Seed {seed}, {round} rounds before the end: {exception.GetType().Name}", exception);
                }
            }
            spill.Bytes.ShouldBe(0);
            Directory.GetFiles(directory["spill"]).ShouldBeEmpty();
        }
        refused.ShouldBeGreaterThan(10);
    }

    [Fact]
    public void A_value_that_is_none_sets_its_table_aside_in_its_place()
    {
        var decoder = RecordedStream.Decoder();
        TransactionPart? part = null;
        foreach (var message in _messages)
        {
            var mutant = message;
            if (message[0] == (byte)'I' && message.AsSpan().IndexOf("t\0\0\0\u0002-5"u8) is > 0 and var at)
            {
                mutant = message.ToArray();
                mutant[at + 5] = (byte)'x'; // plain.n
            }
            if ((part = decoder.Decode(mutant)) is not null) break;
        }
        var reader = new ChangeReader(part!);
        reader.Read().ShouldBeTrue();
        (reader.Kind, reader.Table.Name).ShouldBe((ChangeKind.Quarantine, "plain"));
        var cells = reader.Cells;
        reader.Table.Columns[(int)Cell.Read(ref cells).Integer].Name.ShouldBe("n");
        reader.Read().ShouldBeTrue();
        reader.Kind.ShouldBe(ChangeKind.Insert);
    }

    [Fact]
    public void Blocks_out_of_place_are_refused()
    {
        var recorded = RecordedStream.Load(RecordedStream.InBlocks);
        byte[] First(char kind) => recorded.First(m => m[0] == kind);
        using var directory = new TemporaryDirectory();
        using var decoder = RecordedStream.Decoder(RecordedStream.Spill(directory));
        byte[] again = [.. First('S')[..^1], 0];
        Refuses(decoder, First('E'), 0).ShouldBeTrue("an end without a block");
        Refuses(decoder, First('A'), 0).ShouldBeTrue("a rollback of what was not streamed");
        Refuses(decoder, First('c'), 0).ShouldBeTrue("a commit of what was not streamed");
        Refuses(decoder, again, 0).ShouldBeTrue("another block before the first");
        decoder.Decode(First('S'));
        decoder.IsInside.ShouldBeTrue();
        foreach (var kind in "SBCAc") Refuses(decoder, First(kind), 0).ShouldBeTrue($"{kind} within a block");
        Refuses(decoder, "I\0\0\0\0"u8.ToArray(), 0).ShouldBeTrue("a change of no transaction");
        decoder.Decode(First('E'));
        Refuses(decoder, First('S'), 0).ShouldBeTrue("a first block once more");
        decoder.IsInside.ShouldBeFalse();
        Refuses(RecordedStream.Decoder(), First('S'), 0).ShouldBeTrue("a block that was not asked for");
    }

    /// <summary>A decoder as it stands before a message: with the tables announced so far, inside the transaction begun last.</summary>
    private PgOutputDecoder Before(int count)
    {
        var decoder = RecordedStream.Decoder();
        var begin = count;
        while (begin > 0 && _messages[begin - 1][0] != 'C') begin--;
        for (var i = 0; i < count; i++)
            if (i >= begin || _messages[i][0] == 'R') decoder.Decode(_messages[i]);
        return decoder;
    }

    /// <param name="decoder">The decoder.</param>
    /// <param name="message">The message.</param>
    /// <param name="seed">Where it comes from.</param>
    /// <param name="anew">
    /// Makes a decoder that stands where this one does. What a decoder allocates for a message it allocates again in another one; what the
    /// runtime has to load while other tests run, it doesn't.
    /// </param>
    private static bool Refuses(PgOutputDecoder decoder, byte[] message, int seed, Func<PgOutputDecoder>? anew = null)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        var refused = false;
        try
        {
            decoder.Decode(message);
        }
        catch (DbSyncException exception) when (exception.Code == ErrorCodes.MalformedStream)
        {
            refused = true;
        }
        catch (Exception exception)
        {
            throw new InvalidOperationException($"Seed {seed}: {exception.GetType().Name} on {Convert.ToHexString(message)}", exception);
        }
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        var most = AllocatedBytesMax + 8 * message.Length;
        if (allocated >= most && anew is not null) return Refuses(anew(), message, seed);
        allocated.ShouldBeLessThan(most, $"seed {seed}: {Convert.ToHexString(message)}");
        return refused;
    }

    private byte[] Mutate(Random random, byte[] message)
    {
        var mutant = message.ToArray();
        for (var times = random.Next(1, 4); times > 0; times--) mutant = MutateOnce(random, mutant);
        return mutant;
    }

    private byte[] MutateOnce(Random random, byte[] bytes)
    {
        if (bytes.Length < 8) return [.. bytes, .. _messages[random.Next(_messages.Count)]];
        var at = random.Next(random.Next(2) == 0 ? Math.Min(bytes.Length, 24) : bytes.Length); // structure is mostly in front
        switch (random.Next(8))
        {
            case 0:
                bytes[at] ^= (byte)(1 << random.Next(8));
                return bytes;
            case 1:
                bytes[at] = (byte)random.Next(256);
                return bytes;
            case 2:
                return bytes[..random.Next(bytes.Length)];
            case 3:
                return [.. bytes, .. new byte[random.Next(1, 9)]];
            case 4:
                int[] extremes = [-1, int.MaxValue, int.MinValue, 0, bytes.Length, bytes.Length - at, 1 << 20];
                BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(Math.Min(at, bytes.Length - 4)), extremes[random.Next(extremes.Length)]);
                return bytes;
            case 5:
                BinaryPrimitives.WriteInt16BigEndian(bytes.AsSpan(Math.Min(at, bytes.Length - 2)), random.Next(3) switch { 0 => -1, 1 => short.MaxValue, _ => (short)random.Next(1700) });
                return bytes;
            case 6:
                return [.. bytes[..at], .. bytes[random.Next(bytes.Length)..]];
            default:
                bytes[0] = "BCIUDRTYOMSKN\0"u8[random.Next(14)];
                return bytes;
        }
    }

    private static int Number(string variable, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), out var number) ? number : otherwise;
}
