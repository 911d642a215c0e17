namespace DbSync.Postgres.Types.Codecs;

/// <summary>
/// inet: a host as <see cref="System.Net.IPAddress"/> prints it. A network keeps its mask, which no IPAddress has.
/// A cast to text prints a host's mask too, so it is taken off here.
/// </summary>
internal sealed class InetCodec() : TypeCodec(StorageClass.Text)
{
    public override bool DecodeText(ReadOnlySpan<byte> wire, ChangeBuffer target)
    {
        var mask = wire.IndexOf((byte)'/');
        var isHost = mask < 0 || wire[mask..].SequenceEqual(wire.Contains((byte)':') ? "/128"u8 : "/32"u8);
        target.WriteText(isHost && mask >= 0 ? wire[..mask] : wire);
        return isHost;
    }

    public override string CanonicalSql(string quotedColumn) => $"abbrev({quotedColumn})";
}
