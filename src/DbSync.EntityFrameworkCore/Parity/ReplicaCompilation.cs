namespace DbSync.EntityFrameworkCore.Parity;

/// <summary>What one compilation finds out, handed from EF Core's pipeline to the one who asked for it. A scope compiles one query at a time.</summary>
internal sealed class ReplicaCompilation
{
    private ReplicaNeeds? _needs;

    /// <summary>Whether entities in the result would be tracked.</summary>
    public bool Tracks { get; private set; }

    public ReplicaNeeds Needs => _needs ?? throw new InvalidOperationException("No compilation is under way.");

    public void Begin(bool tracks) => (_needs, Tracks) = (new ReplicaNeeds(), tracks);

    public ReplicaNeeds End()
    {
        var needs = Needs;
        _needs = null;
        return needs;
    }
}
