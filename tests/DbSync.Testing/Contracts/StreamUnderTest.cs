namespace DbSync.Testing;

/// <summary>A transaction as a stream brought it.</summary>
internal sealed record SeenTransaction(uint Xid, Lsn CommitLsn, Lsn EndLsn, IReadOnlyList<string> Changes);

/// <summary>An open stream, read on a thread of its own for as long as the test needs it.</summary>
internal sealed class StreamUnderTest : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly List<SeenTransaction> _seen = [];
    private readonly List<Lsn> _positions = [];
    private readonly Task _reading;

    public StreamUnderTest(IChangeStream stream)
    {
        Stream = stream;
        _reading = Task.Factory.StartNew(Read, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    public IChangeStream Stream { get; }

    /// <summary>Ends when the stream does; faulted with its reason.</summary>
    public Task Ended => _reading;

    public IReadOnlyList<SeenTransaction> Seen
    {
        get
        {
            lock (_seen) return [.. _seen];
        }
    }

    /// <summary>The mere positions that came.</summary>
    public IReadOnlyList<Lsn> Positions
    {
        get
        {
            lock (_seen) return [.. _positions];
        }
    }

    /// <summary>How many parts the largest transaction came in.</summary>
    public int PartsMax { get; private set; }

    public Task UntilAsync(Func<StreamUnderTest, bool> condition, CancellationToken cancellationToken) => Eventually.Async(
        async _ =>
        {
            if (_reading.IsCompleted) await _reading;
            return condition(this);
        },
        TimeSpan.FromSeconds(60),
        () => $"{Seen.Count} transactions, {Positions.Count} positions",
        cancellationToken);

    /// <summary>Lets the reader end after its next message, with the stream open.</summary>
    public async Task StopReadingAsync()
    {
        await _stop.CancelAsync();
        Stream.RequestPosition();
        await _reading.WaitAsync(TimeSpan.FromSeconds(30));
    }

    public void Dispose()
    {
        _stop.Cancel();
        Stream.Dispose();
        _ = _reading.ContinueWith(t => t.Exception, TaskScheduler.Default); // what a stream says that nobody reads any more does not matter
    }

    private void Read()
    {
        var pool = new PartPool(256, 16, 1 << 20);
        var changes = new List<string>();
        var (inside, parts) = (false, 0);
        foreach (var part in Stream.Read(pool, _stop.Token))
        {
            if (part.Begins == inside) throw new InvalidOperationException("A transaction begins inside another, or goes on without a beginning.");
            inside = !part.Ends;
            parts = part.Begins ? 1 : parts + 1;
            PartsMax = Math.Max(PartsMax, parts);
            var reader = new ChangeReader(part);
            while (reader.Read()) changes.Add($"{reader.Kind} {reader.Table.ReplicaName} {string.Join(',', TestTable.Values(reader.Cells).Select(Show))}");
            lock (_seen)
            {
                if (part is { Ends: true, Xid: 0 }) _positions.Add(part.EndLsn);
                else if (part.Ends) _seen.Add(new SeenTransaction(part.Xid, part.CommitLsn, part.EndLsn, [.. changes]));
            }
            if (part.Ends) changes.Clear();
            pool.Return(part);
        }
    }

    private static string Show(object? value) => value switch
    {
        null => "NULL",
        string text when text.Length > 40 => $"{text[..10]}...{text.Length}",
        _ when ReferenceEquals(value, TestTable.Unchanged) => "unchanged",
        _ => $"{value}",
    };
}
