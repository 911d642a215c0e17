using System.Text;

namespace DbSync.Benchmarks.Sharding;

/// <summary>
/// Maglev: shards take turns at filling a table, each by a permutation of its own (Eisenbud et al., "Maglev: A Fast and Reliable Software
/// Network Load Balancer", 2016, section 3.4). By weight, a shard takes as many places at its turn.
/// </summary>
internal readonly struct MaglevPlacement(int[] table) : IKeyPlacement
{
    public const int Size = 65_537;

    public int Find(ulong hash) => table[hash % Size];
}

internal sealed class MaglevScheme : IPlacementScheme<MaglevPlacement>
{
    public string Name => "Maglev 65537";

    public MaglevPlacement Build(ShardTopology shards, MaglevPlacement? before)
    {
        var names = shards.Shards.Select(shard => Encoding.UTF8.GetBytes(shard.Id.Name)).ToArray();
        var next = Array.ConvertAll(names, name => (long)(PostgresHash.OfBytes(name, 1) % MaglevPlacement.Size));
        var skip = Array.ConvertAll(names, name => (long)(PostgresHash.OfBytes(name, 2) % (MaglevPlacement.Size - 1)) + 1);
        var table = new int[MaglevPlacement.Size];
        table.AsSpan().Fill(-1);
        for (var filled = 0; ;)
        {
            for (var shard = 0; shard < names.Length; shard++)
            {
                for (var turn = 0; turn < shards.Shards[shard].Weight; turn++)
                {
                    while (table[next[shard]] >= 0) next[shard] = (next[shard] + skip[shard]) % MaglevPlacement.Size;
                    table[next[shard]] = shard;
                    if (++filled == table.Length) return new(table);
                }
            }
        }
    }
}
