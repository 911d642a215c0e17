using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace DbSync.Cli;

/// <summary>A command's help with an example at the end.</summary>
internal sealed class ExampleHelp(HelpAction help, IReadOnlyDictionary<Command, string> examples) : SynchronousCommandLineAction
{
    // Otherwise a missing argument would be reported instead of the help that was asked for.
    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        var result = help.Invoke(parseResult);
        if (examples.TryGetValue(parseResult.CommandResult.Command, out var example))
            parseResult.InvocationConfiguration.Output.WriteLine($"Example:{Environment.NewLine}  {example}{Environment.NewLine}");
        return result;
    }
}
