using System.CommandLine;

namespace DbSync.Cli;

/// <summary>The options of the command that keeps a node.</summary>
internal static class RunOptions
{
    public static readonly Option<string?> SpillBytesMax = new("--spill-bytes-max")
    {
        Description = "Disk in the data directory for transactions that have not ended, in bytes [env: DBSYNC_SPILL_BYTES_MAX; default: 68719476736].",
        HelpName = "BYTES",
    };
}
