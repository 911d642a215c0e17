namespace DbSync.Postgres;

/// <summary>Makes a node's slot and gives it up.</summary>
internal sealed class SlotKeeper(Primary primary, string node, string slot) : ISlotKeeper
{
    private readonly ReplicationSlot _slot = new(primary, slot);

    public Task<bool> IsKnownAsync(CancellationToken cancellationToken) => primary.UseAsync(
        async connection =>
        {
            await using var schema = Primary.Command(connection, "SELECT pg_catalog.to_regclass('dbsync.node') IS NOT NULL");
            if (await schema.ExecuteScalarAsync(cancellationToken) is not true) return false;
            await using var known = Primary.Command(connection, "SELECT EXISTS (SELECT FROM dbsync.node WHERE name = $1 AND slot = $2)", node, slot);
            return await known.ExecuteScalarAsync(cancellationToken) is true;
        },
        cancellationToken);

    public Task GiveUpAsync(CancellationToken cancellationToken) => _slot.DropAsync(cancellationToken);

    public async Task<SlotOrigin> MakeAsync(bool keep, CancellationToken cancellationToken)
    {
        if (await _slot.ReadAsync(cancellationToken) is { } there && (!keep || there.WalStatus == ReplicationSlot.Lost)) await _slot.DropAsync(cancellationToken);
        var start = await _slot.CreateAsync(cancellationToken);
        var facts = await _slot.ReadAsync(cancellationToken) ?? throw PrimaryErrors.SlotMissing();
        return new SlotOrigin(start, facts.SystemIdentifier, facts.Timeline);
    }
}
