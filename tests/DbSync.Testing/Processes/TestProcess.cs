using System.Diagnostics;

namespace DbSync.Testing;

/// <summary>
/// A process a test started: its output is kept line by line, it can be paused and killed, and it doesn't outlive the test
/// (disposing kills it with its children) nor the test process (<see cref="ProcessGuard"/>).
/// </summary>
public sealed class TestProcess : IAsyncDisposable
{
    private static readonly TimeSpan OutputAfterExit = TimeSpan.FromSeconds(2);

    private static readonly Dictionary<string, string?> NoChanges = new(StringComparer.Ordinal);

    private readonly Lock _lock = new();
    private readonly List<(bool IsError, string Line)> _lines = [];
    private readonly Process _process;
    private readonly string _name;
    private readonly Task _drained;
    private TaskCompletionSource _changed = NewSignal();
    private bool _ended;
    private int _disposed;

    private TestProcess(Process process, string name, string guardSignal)
    {
        _process = process;
        _name = name;
        ProcessId = process.Id;
        ProcessGuard.Register(ProcessId, guardSignal);
        process.StandardInput.Close();
        _drained = DrainAsync();
    }

    public int ProcessId { get; }

    public bool HasExited => _process.HasExited;

    /// <summary>The exit code; 128 + the signal's number when one ended it.</summary>
    public int ExitCode => _process.ExitCode;

    /// <summary>All lines so far, of both streams, in the order they arrived.</summary>
    public IReadOnlyList<string> Lines
    {
        get
        {
            lock (_lock)
                return _lines.ConvertAll(line => line.Line);
        }
    }

    public string StandardOutput => TextOf(isError: false);

    public string StandardError => TextOf(isError: true);

    /// <summary>Whether a process runs or could run: one that has ended and is only not yet collected by its parent doesn't count.</summary>
    public static bool IsAlive(int processId)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{processId}/stat");
            return stat[stat.LastIndexOf(')') + 2] is not ('Z' or 'X');
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>Starts it. A null value in <paramref name="environment"/> removes that variable.</summary>
    public static TestProcess Start(
        string fileName,
        IEnumerable<string> arguments,
        IReadOnlyDictionary<string, string?>? environment = null,
        string? workingDirectory = null) =>
        Start(fileName, arguments, environment, workingDirectory, "KILL");

    internal static TestProcess Start(
        string fileName,
        IEnumerable<string> arguments,
        IReadOnlyDictionary<string, string?>? environment,
        string? workingDirectory,
        string guardSignal)
    {
        var start = new ProcessStartInfo(fileName, arguments)
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = workingDirectory ?? "",
        };
        foreach (var (name, value) in environment ?? NoChanges)
            start.Environment[name] = value;
        var process = Process.Start(start) ?? throw new InvalidOperationException($"{fileName} did not start.");
        return new TestProcess(process, Path.GetFileName(fileName), guardSignal);
    }

    /// <summary>The first line, from number <paramref name="fromLine"/> on, that <paramref name="predicate"/> takes, printed already or not yet.</summary>
    /// <exception cref="TimeoutException">None came in time; the message carries the output.</exception>
    /// <exception cref="InvalidOperationException">The process ended without one.</exception>
    public async Task<string> WaitForLineAsync(
        Predicate<string> predicate,
        TimeSpan? timeout = null,
        int fromLine = 0,
        CancellationToken cancellationToken = default)
    {
        var limit = timeout ?? Eventually.DefaultTimeout;
        using var deadline = new CancellationTokenSource(limit, TimeProvider.System);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        for (var next = fromLine; ;)
        {
            Task changed;
            bool ended;
            lock (_lock)
            {
                for (; next < _lines.Count; next++)
                {
                    if (predicate(_lines[next].Line))
                        return _lines[next].Line;
                }

                changed = _changed.Task;
                ended = _ended;
            }

            if (ended)
                throw new InvalidOperationException($"{_name} ended without printing the line. {Describe()}");
            try
            {
                await changed.WaitAsync(either.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
            {
                throw new TimeoutException($"{_name} did not print the line within {limit.TotalSeconds:0.###} s. {Describe()}", exception);
            }
        }
    }

    /// <summary>Waits for its end and all of its output; returns the exit code.</summary>
    /// <exception cref="TimeoutException">It still runs after <paramref name="timeout"/> (default: <see cref="Eventually.DefaultTimeout"/>).</exception>
    public async Task<int> WaitForExitAsync(TimeSpan? timeout = null, CancellationToken cancellationToken = default)
    {
        var limit = timeout ?? Eventually.DefaultTimeout;
        try
        {
            await _drained.WaitAsync(limit, TimeProvider.System, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException exception)
        {
            throw new TimeoutException($"{_name} still runs after {limit.TotalSeconds:0.###} s. {Describe()}", exception);
        }

        return _process.ExitCode;
    }

    /// <summary>SIGKILL: it ends at once, without a chance to tidy up.</summary>
    public void Kill() => Signal(Signals.Kill);

    /// <summary>SIGSTOP: it stands still, sockets open, until <see cref="Resume"/>.</summary>
    public void Pause() => Signal(Signals.Stop);

    /// <summary>SIGCONT.</summary>
    public void Resume() => Signal(Signals.Continue);

    /// <summary>SIGTERM: it is asked to stop.</summary>
    public void Terminate() => Signal(Signals.Terminate);

    /// <summary>SIGINT, what Ctrl-C sends.</summary>
    public void Interrupt() => Signal(Signals.Interrupt);

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        if (!_process.HasExited)
            _process.Kill(entireProcessTree: true);
        await _drained.ConfigureAwait(false);
        _process.Dispose();
    }

    internal void Signal(int signal)
    {
        if (!_process.HasExited)
            Signals.Send(ProcessId, signal);
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task DrainAsync()
    {
        var output = Task.WhenAll(ReadAsync(_process.StandardOutput, isError: false), ReadAsync(_process.StandardError, isError: true));
        await _process.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
        ProcessGuard.Unregister(ProcessId);
        try
        {
            await output.WaitAsync(OutputAfterExit, TimeProvider.System).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // A child of its own still holds the pipe: what that prints is not awaited.
        }

        Announce(ended: true);
    }

    private async Task ReadAsync(StreamReader reader, bool isError)
    {
        while (await reader.ReadLineAsync(CancellationToken.None).ConfigureAwait(false) is { } line)
        {
            lock (_lock)
                _lines.Add((isError, line));
            Announce(ended: false);
        }
    }

    private void Announce(bool ended)
    {
        lock (_lock)
        {
            _ended |= ended;
            _changed.SetResult();
            _changed = NewSignal();
        }
    }

    private string TextOf(bool isError)
    {
        lock (_lock)
            return string.Concat(_lines.Where(line => line.IsError == isError).Select(line => line.Line + "\n"));
    }

    private string Describe()
    {
        const int linesShown = 40;
        var lines = Lines;
        var state = _process.HasExited ? $"It ended with {_process.ExitCode}" : "It is running";
        return $"{state}; its last lines:\n{string.Join('\n', lines.Skip(lines.Count - linesShown))}";
    }
}
