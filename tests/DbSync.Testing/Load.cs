namespace DbSync.Testing;

/// <summary>What stands for a busy application while something else is tested.</summary>
public static class Load
{
    /// <summary>Some hundreds of transactions a second leave the machine to what is tested; a soak is for what happens at full speed.</summary>
    public static readonly TimeSpan Pause = Effort.Cases(1) == 1 ? TimeSpan.FromMilliseconds(2) : TimeSpan.Zero;

    /// <summary>Between two transactions of a writer.</summary>
    public static Task PauseAsync() => Pause == TimeSpan.Zero ? Task.CompletedTask : Task.Delay(Pause, TimeProvider.System, CancellationToken.None);
}
