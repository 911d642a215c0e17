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
            return Fail(console, exception);
        }
        catch (OperationCanceledException) when (interruption.Token.IsCancellationRequested)
        {
            console.WriteError("cancelled", "Cancelled.", null);
            return ExitCode.Cancelled;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return Fail(console, new DbSyncException(
                ErrorCodes.StorageFailed, exception.Message, "Check the data directory: its path, who may write there, and the room on the disk.", exception));
        }
        catch (Exception exception)
        {
            console.Say($"{exception.GetType()}{Environment.NewLine}{exception.StackTrace}"); // without its message, which could hold a value
            return Fail(console, new DbSyncException(
                ErrorCodes.Unexpected, $"An error that DbSync does not know: {exception.GetType().Name}.", "Please report it with the lines above.", exception));
        }
    }

    private static int Fail(ToolConsole console, DbSyncException exception)
    {
        console.Fail(exception);
        return ExitCode.Of(exception.Code);
    }
}

/// <summary>What a command's action gets.</summary>
internal sealed record CommandContext(ParseResult Arguments, ToolSettings Settings, ToolConsole Console, CancellationToken Cancellation);
