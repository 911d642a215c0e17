namespace DbSync.EntityFrameworkCore.Consistency;

/// <summary>What a session was told by tokens from outside: the newest of each cluster. Not thread-safe.</summary>
internal sealed class JoinedTokens
{
    /// <summary>How many clusters a session may be told of: tokens come from outside.</summary>
    private const int Max = 16;

    private readonly List<(long Sequence, SyncToken Token)> _tokens = [];

    /// <summary>Grows with every token: what was told before a position was read is covered by it.</summary>
    public long Sequence { get; private set; }

    public IEnumerable<(long Sequence, SyncToken Token)> All => _tokens;

    /// <summary>Takes a token in, merged by cluster, timeline and kind with the greatest position.</summary>
    public void Add(SyncToken token)
    {
        Sequence++;
        var at = _tokens.FindIndex(t => t.Token.SystemIdentifier == token.SystemIdentifier && t.Token.Timeline == token.Timeline && t.Token.Asks == token.Asks);
        if (at >= 0) _tokens[at] = (Sequence, token with { Position = Lsn.Max(token.Position, _tokens[at].Token.Position) });
        else if (_tokens.Count < Max) _tokens.Add((Sequence, token));
    }

    /// <summary>Drops what is beyond the primary's own position: it was made up, or belongs to a history that is gone.</summary>
    public void DropBeyond(ulong? cluster, Lsn position) => _tokens.RemoveAll(t => t.Token.SystemIdentifier == cluster && t.Token.Position > position);

    public void Clear() => _tokens.Clear();
}
