using System.Globalization;
using Microsoft.Extensions.Logging;

namespace DbSync.Cli.Running;

/// <summary>Writes the engine's log as plain lines among the progress on stderr.</summary>
internal sealed class ToolLogger(ToolConsole console, TimeProvider time) : ILogger, ILoggerProvider
{
    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (!IsEnabled(logLevel)) return;
        var level = logLevel switch { LogLevel.Information => "", LogLevel.Warning => "warning: ", _ => "error: " };
        console.Say(string.Create(CultureInfo.InvariantCulture, $"{time.GetUtcNow():HH:mm:ss} {level}{formatter(state, exception)}"));
    }

    public void Dispose()
    {
        // The console is the tool's.
    }
}
