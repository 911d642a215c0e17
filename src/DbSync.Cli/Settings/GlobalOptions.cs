using System.CommandLine;

namespace DbSync.Cli;

/// <summary>The options that every command has.</summary>
internal static class GlobalOptions
{
    public static readonly Option<string?> Primary = Text("--primary", "The primary: Npgsql's connection string [env: DBSYNC_PRIMARY].", "CONNECTION");

    public static readonly Option<string?> Data = Text("--data", "The node's data directory [env: DBSYNC_DATA; default: dbsync-data].", "DIRECTORY");

    public static readonly Option<string?> Redis = Text("--redis", "Redis, for range locks [env: DBSYNC_REDIS].", "CONNECTION");

    public static readonly Option<string?> Replica = Text("--replica", "The replica's name [env: DBSYNC_REPLICA; default: main].", "NAME");

    public static readonly Option<string?> Node = Text("--node", "The node's name; made up once when not given [env: DBSYNC_NODE].", "NAME");

    public static readonly Option<bool> Json = new("--json") { Description = "Write one JSON object to stdout; everything else goes to stderr.", Recursive = true };

    public static readonly IReadOnlyList<Option> All = [Primary, Data, Redis, Replica, Node, Json];

    private static Option<string?> Text(string name, string description, string helpName) =>
        new(name) { Description = description, HelpName = helpName, Recursive = true };
}
