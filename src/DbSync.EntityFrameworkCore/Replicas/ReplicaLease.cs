using System.Diagnostics;
using DbSync.EntityFrameworkCore.Infrastructure;

namespace DbSync.EntityFrameworkCore.Replicas;

/// <summary>
/// A replica connection lent to a context, with its snapshot open. A query that starts while another one's rows are being read shares the
/// snapshot; the last one closes it.
/// </summary>
internal sealed class ReplicaLease
{
    private readonly DbSyncScope _scope;
    private int _users = 1;
    private bool _healthy = true;
    private bool _returned;

    public ReplicaLease(DbSyncScope scope, ReplicaConnection connection, ReplicaSnapshot snapshot)
    {
        (_scope, Connection, Snapshot) = (scope, connection, snapshot);
        scope.Lease = this;
    }

    public ReplicaConnection Connection { get; }

    public ReplicaSnapshot Snapshot { get; }

    /// <summary>The time that it is out, for traces; null when nobody listens.</summary>
    public Activity? Activity { get; set; }

    public void Share() => _users++;

    /// <summary>Its connection is not to be used again.</summary>
    public void Fail() => _healthy = false;

    /// <summary>Ends one query's use.</summary>
    public void Release(bool failed = false)
    {
        if (failed) _healthy = false;
        if (--_users == 0) GiveBack();
    }

    /// <summary>Ends every use: the context is gone, and with it what its queries had not read yet.</summary>
    public void Abandon()
    {
        _healthy = false; // a reader may still be open on it
        GiveBack();
    }

    private void GiveBack()
    {
        if (_returned) return;
        _returned = true;
        Activity?.Dispose();
        if (_scope.Lease == this) _scope.Lease = null;
        _scope.Directory.Return(Connection, _healthy);
    }
}
