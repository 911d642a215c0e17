using DbSync.EntityFrameworkCore.Consistency;

namespace DbSync.EntityFrameworkCore;

/// <summary>
/// The reads and writes that belong together: what one has written the next read sees, and no read goes back behind an earlier one. Every
/// context has one of its own; several contexts of one user or one job share one. Thread-safe.
/// </summary>
public sealed class DbSyncSession
{
    private const int PartsMax = 8;
    private static readonly AsyncLocal<DbSyncSession?> Ambient = new();
    private readonly Lock _gate = new();
    private readonly List<Entry> _entries = [];
    private readonly JoinedTokens _joined = new();
    private ReadConsistency? _consistency;
    private RoutingMode? _routing;

    /// <summary>The session of the contexts used in this asynchronous flow; null when each has its own.</summary>
    public static DbSyncSession? Current => Ambient.Value;

    /// <summary>The level of all contexts of the session; null, the default: as their options say. A context's own level and a query's go before it.</summary>
    public ReadConsistency? Consistency
    {
        get
        {
            lock (_gate) return _consistency;
        }
        set
        {
            lock (_gate) _consistency = value;
        }
    }

    /// <summary>The routing of all contexts of the session; null, the default: as their options say. A context's own goes before it.</summary>
    public RoutingMode? Routing
    {
        get
        {
            lock (_gate) return _routing;
        }
        set
        {
            lock (_gate) _routing = value;
        }
    }

    /// <summary>Makes this the session of all contexts used in this asynchronous flow, until disposed.</summary>
    public IDisposable Enter()
    {
        var before = Ambient.Value;
        Ambient.Value = this;
        return new Leaving(before);
    }

    /// <summary>
    /// Reads from now on see what the token stands for (see <c>GetSyncTokenAsync</c>). Text that is no token, and a token beyond the primary's own
    /// position, are ignored: a token from outside can't do harm. One that was sealed with <c>UseSyncTokenKey</c> is for a context's <c>JoinSyncToken</c>.
    /// </summary>
    public void Join(string? token) => Join(token, seal: null);

    /// <summary>
    /// What the session has written and read so far, for <see cref="Join(string?)"/> of another session, in this process or another. Costs nothing: where a
    /// position isn't known yet, whoever joins asks the primary for it before the next routed read. Empty when there is nothing to tell. It is plain: for
    /// jobs and messages; <c>DbSync.AspNetCore</c> protects it on its way through a browser.
    /// </summary>
    public string ToToken()
    {
        lock (_gate)
        {
            var tokens = new List<SyncToken>();
            foreach (var cluster in _entries.GroupBy(e => e.Link.Facts?.SystemIdentifier ?? 0))
            {
                var timeline = cluster.Max(e => e.Link.Facts?.Timeline ?? 0);
                var isDirty = cluster.Any(e => e.Writes != e.Known);
                var told = _joined.All.Where(t => t.Token.SystemIdentifier == cluster.Key).Select(t => t.Token.Position);
                var position = told.Append(cluster.Max(e => e.Floor)).Max();
                if (isDirty || (cluster.Key != 0 && position > Lsn.Zero)) tokens.Add(new SyncToken(cluster.Key, timeline, position, isDirty));
            }
            foreach (var (sequence, token) in _joined.All)
            {
                var isCovered = token.Asks
                    ? _entries.Exists(e => e.Asked >= sequence && IsOf(token, e.Link))
                    : tokens.Exists(t => t.SystemIdentifier == token.SystemIdentifier);
                if (!isCovered) tokens.Add(token);
            }
            return string.Join('.', tokens.Distinct().Take(PartsMax));
        }
    }

    /// <summary>Says that something was written past EF Core (with ADO.NET, say): the next read sees it.</summary>
    public void MarkWritten()
    {
        lock (_gate)
            foreach (var entry in _entries) entry.Writes++;
    }

    /// <summary>Takes in what is sealed, when there is a seal; else what is plain.</summary>
    internal void Join(string? token, SyncTokenSeal? seal)
    {
        foreach (var part in (token ?? "").Split('.', PartsMax + 1, StringSplitOptions.RemoveEmptyEntries).Take(PartsMax))
            if (seal is null ? SyncToken.TryParse(part, out var parsed) : seal.TryOpen(part, out parsed))
                lock (_gate) _joined.Add(parsed);
    }

    internal void MarkDirty(PrimaryLink link)
    {
        lock (_gate) Of(link).Writes++;
    }

    /// <summary>Forgets everything: a pooled context begins anew.</summary>
    internal void Clear()
    {
        lock (_gate)
        {
            _entries.Clear();
            _joined.Clear();
        }
    }

    /// <summary>What a read must see; <see cref="SessionNeed.IsDirty"/> when the primary must be asked for the position first.</summary>
    internal SessionNeed Need(PrimaryLink link)
    {
        lock (_gate)
        {
            var cluster = link.Facts?.SystemIdentifier;
            var need = new SessionNeed(Lsn.Zero, Lsn.Zero, false);
            var asked = 0L;
            foreach (var entry in _entries)
            {
                if (entry.Link != link && (cluster is null || entry.Link.Facts?.SystemIdentifier != cluster)) continue;
                need = need with { Own = Lsn.Max(need.Own, entry.Floor), IsDirty = need.IsDirty || entry.Writes != entry.Known };
                asked = Math.Max(asked, entry.Asked);
            }
            foreach (var (sequence, token) in _joined.All)
                if (IsOf(token, link))
                    need = need with { Joined = Lsn.Max(need.Joined, token.Position), IsDirty = need.IsDirty || (token.Asks && sequence > asked) };
            return need;
        }
    }

    /// <summary>The writes that a position read from now on will cover; to be given to <see cref="Learn"/>.</summary>
    internal SessionMark Mark()
    {
        lock (_gate) return new SessionMark([.. _entries.Select(e => e.Writes)], _joined.Sequence);
    }

    /// <summary>The primary's position, read after <paramref name="mark"/> was taken.</summary>
    internal void Learn(PrimaryLink link, Lsn position, SessionMark mark)
    {
        lock (_gate)
        {
            for (var i = 0; i < Math.Min(mark.Writes.Length, _entries.Count); i++)
            {
                var entry = _entries[i];
                if (entry.Link != link && entry.Link.Facts?.SystemIdentifier != link.Facts?.SystemIdentifier) continue;
                entry.Known = Math.Max(entry.Known, mark.Writes[i]);
            }
            var own = Of(link);
            (own.Floor, own.Asked) = (Lsn.Max(own.Floor, position), Math.Max(own.Asked, mark.Joined));
            _joined.DropBeyond(link.Facts?.SystemIdentifier, position);
        }
    }

    /// <summary>A read was answered at this position: none goes back behind it.</summary>
    internal void Observe(PrimaryLink link, Lsn position)
    {
        lock (_gate)
        {
            var entry = Of(link);
            if (position > entry.Floor) entry.Floor = position;
        }
    }

    private static bool IsOf(SyncToken token, PrimaryLink link) =>
        token.SystemIdentifier == 0 ? token.Asks : token.SystemIdentifier == link.Facts?.SystemIdentifier;

    private Entry Of(PrimaryLink link)
    {
        foreach (var entry in _entries)
            if (entry.Link == link) return entry;
        var added = new Entry(link);
        _entries.Add(added);
        return added;
    }

    private sealed class Entry(PrimaryLink link)
    {
        public PrimaryLink Link { get; } = link;

        public Lsn Floor { get; set; }

        /// <summary>Counts what may have changed the primary.</summary>
        public long Writes { get; set; }

        /// <summary>How many of them <see cref="Floor"/> covers.</summary>
        public long Known { get; set; }

        /// <summary>The last token from outside whose question <see cref="Floor"/> answers.</summary>
        public long Asked { get; set; }
    }

    private sealed class Leaving(DbSyncSession? before) : IDisposable
    {
        public void Dispose() => Ambient.Value = before;
    }
}

/// <summary>What a session's next read must see.</summary>
/// <param name="Own">What this process has seen of the primary.</param>
/// <param name="Joined">What a token from outside says; not to be believed beyond the primary's position.</param>
/// <param name="IsDirty">Something was written whose position isn't known.</param>
internal readonly record struct SessionNeed(Lsn Own, Lsn Joined, bool IsDirty);

/// <summary>What a position that is read from now on will cover.</summary>
/// <param name="Writes">The writes of each entry.</param>
/// <param name="Joined">The tokens.</param>
internal readonly record struct SessionMark(long[] Writes, long Joined);
