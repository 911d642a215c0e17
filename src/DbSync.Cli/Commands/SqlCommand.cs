using System.CommandLine;

namespace DbSync.Cli.Commands;

internal static class SqlCommand
{
    public static (Command Command, string Example) Create(CommandRunner runner)
    {
        var command = new Command("sql", "");
        runner.Bind(command, _ => Task.FromResult(1));
        return (command, "dbsync sql");
    }
}
