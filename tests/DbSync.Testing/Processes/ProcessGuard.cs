using System.Diagnostics;

namespace DbSync.Testing;

/// <summary>
/// Cleans up after this test process however it ends, kill -9 included. A small shell in a session of its own holds the other end of
/// a pipe; when the pipe closes it ends every process still registered and deletes <see cref="Root"/>, under which everything temporary lives.
/// (PR_SET_PDEATHSIG would not do: on Linux it fires when the starting <i>thread</i> ends, and it deletes no directory.)
/// </summary>
internal static class ProcessGuard
{
    // A process is known by its id and start time, so that a later process with the same id is never hit.
    // PostgreSQL is asked with SIGQUIT first: killed outright it would leave its System V shared memory segment behind.
    private const string Script =
        """
        exec >/dev/null 2>&1
        trap '' HUP INT TERM PIPE
        root=$1
        known=

        start_of() {
            stat=$(cat "/proc/$1/stat") || return 0
            set -- ${stat##*) }
            [ "$1" = Z ] || echo "${20}"
        }

        signal_known() {
            alive=no
            for entry in $known; do
                pid=${entry%%:*} rest=${entry#*:}
                [ "$(start_of "$pid")" = "${rest#*:}" ] || continue
                alive=yes
                kill -s "${1:-${rest%%:*}}" "$pid"
            done
        }

        while read -r verb pid signal; do
            kept=
            for entry in $known; do
                [ "${entry%%:*}" = "$pid" ] || kept="$kept $entry"
            done
            known=$kept
            [ "$verb" = + ] && known="$known $pid:$signal:$(start_of "$pid")"
        done

        signal_known ''
        turns=0
        while signal_known 0; [ $alive = yes ] && [ $turns -lt 100 ]; do
            sleep 0.05
            turns=$((turns + 1))
        done
        signal_known KILL

        for file in "$root"/*/data/postmaster.pid; do
            [ -f "$file" ] && set -- $(sed -n 7p "$file") && ipcrm -m "$2"
        done
        rm -rf "$root"
        """;

    private static readonly Lazy<Guard> Shared = new(Guard.Start);

    /// <summary>The directory of this process, readable by nobody else but traversable, for PostgreSQL runs as another user when we are root.</summary>
    public static string Root => Shared.Value.Root;

    /// <summary>Has the process sent <paramref name="signal"/> when this one ends, and killed 5 s later.</summary>
    public static void Register(int processId, string signal) => Shared.Value.Tell($"+ {processId} {signal}");

    public static void Unregister(int processId) => Shared.Value.Tell($"- {processId}");

    /// <summary>A path for a new file or directory directly under <see cref="Root"/>.</summary>
    public static string NewPath(string prefix) => Path.Combine(Root, $"{prefix}-{Random.Shared.GetHexString(8, lowercase: true)}");

    private sealed class Guard
    {
        private readonly Lock _writing = new();
        private readonly StreamWriter _pipe;

        private Guard(string root, StreamWriter pipe) => (Root, _pipe) = (root, pipe);

        public string Root { get; }

        public static Guard Start()
        {
            var root = Path.Combine(TemporaryBase(), $"dbsync-test-{Random.Shared.GetHexString(10, lowercase: true)}");
            var traversable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
                | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
            Directory.CreateDirectory(root, traversable);

            var start = new ProcessStartInfo("setsid") { UseShellExecute = false, RedirectStandardInput = true, WorkingDirectory = "/" };
            foreach (var argument in new[] { "sh", "-c", Script, "dbsync-test-guard", root })
                start.ArgumentList.Add(argument);
            var process = Process.Start(start) ?? throw new InvalidOperationException("The process guard did not start.");
            process.StandardInput.AutoFlush = true;
            return new Guard(root, process.StandardInput);
        }

        public void Tell(string line)
        {
            lock (_writing)
                _pipe.Write(line + "\n");
        }

        // A socket's path may have 107 bytes, and root's PostgreSQL user must get through every directory above.
        private static string TemporaryBase()
        {
            const int lengthMax = 40;
            var own = Path.TrimEndingDirectorySeparator(Path.GetTempPath());
            return own.Length <= lengthMax && (!Environment.IsPrivilegedProcess || IsOpenToAll(own)) ? own : "/tmp";
        }

        private static bool IsOpenToAll(string path)
        {
            for (var directory = new DirectoryInfo(path); directory is not null; directory = directory.Parent)
            {
                if (!directory.Exists || (directory.UnixFileMode & UnixFileMode.OtherExecute) == UnixFileMode.None)
                    return false;
            }

            return true;
        }
    }
}
