using DbSync.EntityFrameworkCore.Consistency;

namespace DbSync.EntityFrameworkCore;

/// <summary>
/// The reads and writes that belong together: what one has written the next read sees, and no read goes back behind an earlier one. Every
/// context has one of its own; several contexts of one user or one job share one. Thread-safe.
/// </summary>
public sealed class DbSyncSession
{
    private static readonly AsyncLocal<DbSyncSession?> Ambient = new();
    private readonly Lock _gate = new();
    private readonly List<Entry> _entries = [];
    private readonly List<SyncToken> _joined = [];

    /// <summary>The session of the contexts used in this asynchronous flow; null when each has its own.</summary>
    public static DbSyncSession? Current => Ambient.Value;

    /// <summary>Makes this the session of all contexts used in this asynchronous flow, until disposed.</summary>
    public IDisposable Enter()
    {
        var before = Ambient.Value;
        Ambient.Value = this;
        return new Leaving(before);
    }

    /// <summary>
    /// Reads from now on see what the token stands for (see <c>GetSyncTokenAsync</c>). Text that is no token, and a token beyond the primary's own
    /// position, are ignored: a token from outside can't do harm.
    /// </summary>
    public void Join(string? token)
    {
        foreach (var part in (token ?? "").Split('.', StringSplitOptions.RemoveEmptyEntries).Take(8))
            if (SyncToken.TryParse(part, out var parsed))
                lock (_gate) _joined.Add(parsed);
    }

    /// <summary>Says that something was written past EF Core (with ADO.NET, say): the next read sees it.</summary>
    public void MarkWritten()
    {
        lock (_gate)
            foreach (var entry in _entries) entry.Writes++;
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
            foreach (var entry in _entries)
            {
                if (entry.Link != link && (cluster is null || entry.Link.Facts?.SystemIdentifier != cluster)) continue;
                need = need with { Own = Lsn.Max(need.Own, entry.Floor), IsDirty = need.IsDirty || entry.Writes != entry.Known };
            }
            foreach (var token in _joined)
                if (token.SystemIdentifier == cluster) need = need with { Joined = Lsn.Max(need.Joined, token.Position) };
            return need;
        }
    }

    /// <summary>The writes that a position read from now on will cover; to be given to <see cref="Learn"/>.</summary>
    internal long[] Mark()
    {
        lock (_gate) return [.. _entries.Select(e => e.Writes)];
    }

    /// <summary>The primary's position, read after <paramref name="mark"/> was taken.</summary>
    internal void Learn(PrimaryLink link, Lsn position, long[] mark)
    {
        lock (_gate)
        {
            for (var i = 0; i < Math.Min(mark.Length, _entries.Count); i++)
            {
                var entry = _entries[i];
                if (entry.Link != link && entry.Link.Facts?.SystemIdentifier != link.Facts?.SystemIdentifier) continue;
                entry.Known = Math.Max(entry.Known, mark[i]);
            }
            Of(link).Floor = Lsn.Max(Of(link).Floor, position);
            _joined.RemoveAll(t => t.SystemIdentifier == link.Facts?.SystemIdentifier && t.Position > position); // beyond the primary's own: made up
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
