using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Spectre.Console;

namespace DbSync.Cli;

/// <summary>
/// Where a command writes. With <c>--json</c>, stdout takes exactly one object; what is for people then goes to stderr, as progress always does.
/// </summary>
internal sealed class ToolConsole
{
    private static readonly JsonSerializerOptions JsonOptions = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, // a terminal or a program reads it, no web page
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
    };

    private readonly TextWriter _output;

    public ToolConsole(TextWriter output, TextWriter error, bool json)
    {
        (_output, IsJson) = (output, json);
        Progress = For(error, Console.IsErrorRedirected || !ReferenceEquals(error, Console.Error));
        People = json ? Progress : For(output, Console.IsOutputRedirected || !ReferenceEquals(output, Console.Out));
    }

    public bool IsJson { get; }

    /// <summary>For results that people read.</summary>
    public IAnsiConsole People { get; }

    /// <summary>For progress, warnings and errors: stderr.</summary>
    public IAnsiConsole Progress { get; }

    /// <summary>Whether progress can be drawn in place.</summary>
    public bool IsTerminal => Progress.Profile.Capabilities.Interactive;

    /// <summary>Writes the one object of <c>--json</c>; nothing without it.</summary>
    public void WriteJson<T>(T value)
    {
        if (IsJson) _output.WriteLine(JsonSerializer.Serialize(value, JsonOptions));
    }

    /// <summary>A line for people, without any markup.</summary>
    public void Line(string text = "") => People.WriteLine(text);

    /// <summary>A line of progress.</summary>
    public void Say(string text) => Say(new Paragraph(text));

    public void Warn(string text) => Say(new Paragraph("warning: ", new Style(Color.Yellow)).Append(text));

    public void Fail(DbSyncException exception)
    {
        Say(new Paragraph("dbsync: ", new Style(Color.Red)).Append(exception.Message));
        Say(new Paragraph($"'dbsync explain {exception.Code}' says more.", new Style(decoration: Decoration.Dim)));
        WriteError(exception.Code, What(exception), exception.Fix);
    }

    /// <summary>The one object of a command that failed.</summary>
    public void WriteError(string code, string message, string? fix) => WriteJson(new { Error = new { Code = code, Message = message, Fix = fix } });

    private void Say(Paragraph text) => Progress.Write(new ClearedLines(text.Append("\n")));

    /// <summary>What happened, without the code and the advice that the exception's text has too.</summary>
    private static string What(DbSyncException exception)
    {
        var start = exception.Code.Length + 2;
        var end = exception.Message.Length - (exception.Fix is null ? 0 : exception.Fix.Length + 1);
        return exception.Message[start..end];
    }

    private static IAnsiConsole For(TextWriter writer, bool redirected)
    {
        const int widthOfAPipe = 4000; // nothing is wrapped for a program that reads
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(writer),
            Ansi = redirected ? AnsiSupport.No : AnsiSupport.Detect,
            Interactive = redirected ? InteractionSupport.No : InteractionSupport.Detect,
            ColorSystem = redirected ? ColorSystemSupport.NoColors : ColorSystemSupport.Detect,
        });
        if (redirected) console.Profile.Width = widthOfAPipe;
        return console;
    }
}
