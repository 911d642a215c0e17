namespace DbSync;

/// <summary>
/// The steps of copying a replica again, each on disk before it counts: <c>reseed.json</c> says what is under way, <c>node.json</c> what
/// readers use.
/// </summary>
internal sealed class ReseedJournal
{
    private const string SetAsideSuffix = ".damaged";
    private static readonly string[] Companions = ["", "-wal", "-shm"]; // the file itself, and what SQLite keeps beside it

    private readonly Lock _gate = new();
    private readonly TimeProvider _time;
    private NodeFile _identity;
    private ReseedFile _file;

    /// <exception cref="DbSyncException">DBS1004 when what is written there can't be read.</exception>
    public ReseedJournal(string directory, NodeFile identity, TimeProvider time)
    {
        (Directory, _identity, _time) = (directory, identity, time);
        _file = ReseedFile.Load(directory);
        if (_file.Current is { } done && done.Shards.SequenceEqual(identity.Shards)) Save(_file with { Current = null, LastRequest = done.Request ?? _file.LastRequest });
    }

    public string Directory { get; }

    public NodeFile Identity
    {
        get
        {
            lock (_gate) return _identity;
        }
    }

    public ReseedFile.Plan? Current
    {
        get
        {
            lock (_gate) return _file.Current;
        }
    }

    /// <summary>How often a copy was begun for this cause within <paramref name="window"/>.</summary>
    public int TriesOf(ReseedCause cause, TimeSpan window)
    {
        lock (_gate) return _file.TriesOf(cause, _time.GetUtcNow() - window);
    }

    /// <summary>Begins a copy in place of the one under way, if there is one. A person's request begins the count of tries anew.</summary>
    public void Begin(ReseedCause cause, string reason, string? code, string? request)
    {
        lock (_gate)
        {
            var now = _time.GetUtcNow();
            if (cause == ReseedCause.FileDamaged) SetAside(_identity);
            var generation = 1 + _identity.Shards.Select(s => NodeFile.GenerationOf(s.File)).Append(_file.Generation).Max();
            Save(new ReseedFile(
                request is null ? [.. _file.Tries, new ReseedFile.Try(cause, now)] : [],
                generation,
                new ReseedFile.Plan(
                    cause, reason, code, now, [.. _identity.Shards.Select(s => s with { File = NodeFile.FileNameOf(s.Id, generation) })], Starts: 0, StartLsn: null)
                {
                    Request = request ?? _file.Current?.Request,
                },
                _file.LastRequest));
            if (_identity.StaleSince is null) Save(_identity with { StaleSince = now });
        }
    }

    /// <summary>Records how far the copy under way has come; nothing when there is none any more.</summary>
    public ReseedFile.Plan Update(ReseedFile.Plan plan)
    {
        lock (_gate)
        {
            if (_file.Current is not null) Save(_file with { Current = plan });
            return plan;
        }
    }

    /// <summary>Records a try to mend what is here.</summary>
    public void Note(ReseedCause cause)
    {
        lock (_gate) Save(_file with { Tries = [.. _file.Tries, new ReseedFile.Try(cause, _time.GetUtcNow())] });
    }

    /// <summary>The files here go on from where a slot begins, although they stand before it.</summary>
    public void Mend(SlotOrigin origin)
    {
        lock (_gate)
            Save(_identity with
            {
                StartLsn = origin.Start.ToString(), MendLsn = origin.Start.ToString(), SystemIdentifier = origin.SystemIdentifier, Timeline = origin.Timeline,
            });
    }

    /// <summary>What was restored is kept up to date again.</summary>
    public void Settle()
    {
        lock (_gate)
            if (_identity.RestoredAt is not null) Save(_identity with { RestoredAt = null, MendLsn = null });
    }

    /// <summary>Records the primary's timeline that the positions belong to from now on.</summary>
    public void FollowTimeline(uint timeline)
    {
        lock (_gate)
        {
            if (_file.Current is { } plan) Save(_file with { Current = plan with { Timeline = timeline } });
            else Save(_identity with { Timeline = timeline });
        }
    }

    /// <summary>The copy takes the place of the old files.</summary>
    public void Swap()
    {
        lock (_gate)
        {
            var plan = _file.Current!;
            var before = _identity;
            Save(plan.Over(_identity));
            Failpoint.Hit(Failpoint.AfterSwap);
            foreach (var file in FilesOf(before)) File.Delete(file + SetAsideSuffix);
            Save(_file with { Current = null, LastRequest = plan.Request ?? _file.LastRequest });
        }
    }

    /// <summary>Leaves the copy under way; the old files stay as they are.</summary>
    public void Abandon()
    {
        lock (_gate) Save(_file with { Current = null });
    }

    /// <summary>Shard files that neither readers nor a copy use.</summary>
    public IReadOnlyList<string> OldFiles()
    {
        lock (_gate)
        {
            var used = _identity.Shards.Concat(_file.Current?.Shards ?? []).Select(s => s.File).ToHashSet(StringComparer.Ordinal);
            return [.. _identity.Shards.Select(s => s.Id).Concat(_identity.Left ?? []).Distinct(StringComparer.Ordinal)
                .SelectMany(id => System.IO.Directory.EnumerateFiles(Directory, $"{id}.*.db").Select(f => (Id: id, File: Path.GetFileName(f))))
                .Where(f => NodeFile.GenerationOf(f.File) is > 0 and var generation && f.File == NodeFile.FileNameOf(f.Id, generation) && !used.Contains(f.File)).Select(f => f.File)];
        }
    }

    /// <summary>The map has put other shards on this node than before.</summary>
    /// <param name="shards">Their names.</param>
    /// <param name="create">Makes the file of a new one.</param>
    public void Place(IReadOnlyCollection<string> shards, Action<NodeFile.Shard> create)
    {
        lock (_gate)
        {
            var generation = 1 + _identity.Shards.Select(s => NodeFile.GenerationOf(s.File)).Append(_file.Generation).Max();
            var added = shards.Except(_identity.Shards.Select(s => s.Id), StringComparer.Ordinal).Select(id => new NodeFile.Shard(id, NodeFile.FileNameOf(id, generation))).ToList();
            if (added.Count > 0) Save(_file with { Generation = generation }); // before the file: no name is used twice
            foreach (var shard in added) create(shard);
            Save(_identity with
            {
                Shards = [.. _identity.Shards.Where(s => shards.Contains(s.Id, StringComparer.Ordinal)), .. added],
                Left = [.. (_identity.Left ?? []).Union(_identity.Shards.Select(s => s.Id), StringComparer.Ordinal).Except(shards, StringComparer.Ordinal)],
            });
        }
    }

    /// <summary>What is damaged, or not this shard's, is not served while it is copied again: readers find no file. A person may look at it until then.</summary>
    private void SetAside(NodeFile node)
    {
        foreach (var file in FilesOf(node).Where(File.Exists)) File.Move(file, file + SetAsideSuffix, overwrite: true);
    }

    private IEnumerable<string> FilesOf(NodeFile node) =>
        node.Shards.SelectMany(s => Companions, (s, companion) => Path.Combine(Directory, s.File + companion));

    private void Save(ReseedFile file)
    {
        file.Save(Directory);
        _file = file;
    }

    private void Save(NodeFile identity)
    {
        identity.Save(Directory);
        _identity = identity;
    }
}
