using System.Collections.Concurrent;

namespace DbSync.EntityFrameworkCore;

/// <summary>Switches the routing of a replica's queries while the application runs. Thread-safe; takes effect with the next query.</summary>
public sealed class RoutingSwitch
{
    private static readonly ConcurrentDictionary<string, RoutingSwitch> Switches = new(StringComparer.Ordinal);
    private volatile RoutingMode _mode = RoutingMode.On;

    private RoutingSwitch()
    {
    }

    /// <summary>The mode of all contexts that have none of their own.</summary>
    public RoutingMode Mode
    {
        get => _mode;
        set => _mode = value;
    }

    /// <summary>The switch of a data directory; one per process.</summary>
    /// <param name="dataDirectory">The directory given to <c>UseDbSync</c>.</param>
    public static RoutingSwitch For(string dataDirectory) => 
        Switches.GetOrAdd(Path.TrimEndingDirectorySeparator(Path.GetFullPath(dataDirectory)), _ => new RoutingSwitch());
}
