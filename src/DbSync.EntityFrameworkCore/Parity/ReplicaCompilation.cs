using Microsoft.EntityFrameworkCore.Metadata;

namespace DbSync.EntityFrameworkCore.Parity;

/// <summary>What one compilation finds out, handed from EF Core's pipeline to the one who asked for it. A scope compiles one query at a time.</summary>
internal sealed class ReplicaCompilation
{
    private ReplicaNeeds? _needs;
    private IModel? _main;

    /// <summary>Whether entities in the result would be tracked.</summary>
    public bool Tracks { get; private set; }

    /// <summary>The model of the context that asks.</summary>
    public IModel Main => _main ?? throw new InvalidOperationException("No compilation is under way.");

    public ReplicaNeeds Needs => _needs ?? throw new InvalidOperationException("No compilation is under way.");

    public void Begin(bool tracks, IModel main) => (_needs, Tracks, _main) = (new ReplicaNeeds(), tracks, main);

    public ReplicaNeeds End()
    {
        var needs = Needs;
        _needs = null;
        return needs;
    }
}
