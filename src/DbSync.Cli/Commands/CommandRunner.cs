using System.CommandLine;

namespace DbSync.Cli.Commands;

/// <summary>Runs a command's action with its settings and its console, and turns its end into an exit code.</summary>
internal sealed class CommandRunner(TextWriter output, TextWriter error)
{
    /// <summary>Gives a command what it does.</summary>
    public void Bind(Command command, Func<CommandContext, Task<int>> action) => command.SetAction((parsed, token) => RunAsync(parsed, action, token));

    private async Task<int> RunAsync(ParseResult parsed, Func<CommandContext, Task<int>> action, CancellationToken cancellationToken)
    {
        var console = new ToolConsole(output, error, parsed.GetValue(GlobalOptions.Json));
        using var interruption = new Interruption(cancellationToken);
        try
        {
            var settings = new ToolSettings(parsed, Environment.GetEnvironmentVariable, Environment.CurrentDirectory);
            var running = action(new CommandContext(parsed, settings, console, interruption.Token));
            if (await Task.WhenAny(running, interruption.Insisted) != running) return ExitCode.Cancelled;
            return await running;
        }
        catch (DbSyncException exception)
        {
            console.Fail(exception);
            return ExitCode.Of(exception.Code);
        }
        catch (OperationCanceledException) when (interruption.Token.IsCancellationRequested)
        {
            console.WriteError("cancelled", "Cancelled.", null);
            return ExitCode.Cancelled;
        }
    }
}

/// <summary>What a command's action gets.</summary>
internal sealed record CommandContext(ParseResult Arguments, ToolSettings Settings, ToolConsole Console, CancellationToken Cancellation);
