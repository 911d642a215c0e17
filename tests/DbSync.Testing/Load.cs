namespace DbSync.Testing;

/// <summary>What stands for a busy application while something else is tested.</summary>
public static class Load
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(2);

    /// <summary>Between two transactions of a writer: some hundreds a second, which leave the machine to what is tested.</summary>
    public static Task PauseAsync() => Task.Delay(Pause, TimeProvider.System, CancellationToken.None);
}
