using System.Globalization;

namespace DbSync.Postgres;

/// <summary>
/// Follows a primary from one timeline to the next: a promoted standby or a restored primary goes on under a new one, which left the old one
/// at some position. What the shards hold beyond that position happened nowhere.
/// </summary>
/// <param name="known">The timeline that the shards' positions belong to; null when it isn't known yet.</param>
/// <param name="followed">Told of another one before anything of it is applied.</param>
internal sealed class TimelineGuard(uint? known, Action<uint> followed)
{
    private uint? _known = known;

    /// <summary>Whether the primary is on a timeline that has not been followed yet.</summary>
    public bool IsNew(uint timeline) => timeline != 0 && _known != timeline;

    /// <summary>Whether the primary has left the timeline that is known.</summary>
    public bool HasChanged(uint timeline) => _known is not null && IsNew(timeline);

    /// <summary>Goes over to the primary's timeline.</summary>
    /// <param name="timeline">The primary's.</param>
    /// <param name="position">What the shards hold.</param>
    /// <param name="history">Reads the history file of a timeline.</param>
    /// <exception cref="DbSyncException">DBS3051 when the shards hold what the primary's timeline does not.</exception>
    public void Follow(uint timeline, Lsn position, Func<uint, string> history)
    {
        if (!IsNew(timeline)) return;
        if (_known is { } before && (timeline < before || LeftAt(before, history(timeline)) is not { } left || left < position))
            throw new DbSyncException(
                ErrorCodes.TimelineForked,
                $"The primary is on timeline {timeline}, which has not all that this replica holds: it stands at {position} of timeline {before}.",
                "A standby was promoted that had not everything, or a backup was restored: everything has to be copied again.");
        followed(timeline);
        _known = timeline;
    }

    /// <summary>
    /// Where a timeline was left, by the history of a later one: lines of an ancestor, the position and a reason. Source: PostgreSQL's
    /// timeline.c. Null when it is no ancestor.
    /// </summary>
    internal static Lsn? LeftAt(uint timeline, string history)
    {
        foreach (var line in history.Split('\n'))
        {
            var fields = line.Split((char[])[' ', '\t', '\r'], StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length >= 2 && uint.TryParse(fields[0], CultureInfo.InvariantCulture, out var ancestor) && ancestor == timeline && Lsn.TryParse(fields[1], out var left))
                return left;
        }
        return null;
    }
}
