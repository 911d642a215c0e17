using System.CommandLine;

namespace DbSync.Cli.Commands;

internal static class UninstallCommand
{
    public static (Command Command, string Example) Create(CommandRunner runner)
    {
        var command = new Command("uninstall", "");
        runner.Bind(command, _ => Task.FromResult(1));
        return (command, "dbsync uninstall");
    }
}
