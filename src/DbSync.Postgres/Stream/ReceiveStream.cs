using System.Net.Sockets;

namespace DbSync.Postgres;

/// <summary>
/// A socket as a stream whose reader is woken for every message while little arrives, and once for many while much does: the walsender
/// sends each message by itself, and waking a reader for each costs both of them more than the message. On a busy machine it is worse: the reader takes the
/// processor from the walsender after every message, and the walsender waits for its turn again.
/// </summary>
/// <remarks>Linux only: SO_RCVLOWAT with SO_RCVTIMEO, socket(7). The timeout bounds what the low-water mark may hold back.</remarks>
internal sealed class ReceiveStream(Socket socket, bool ownsSocket, int lowWaterBytes, TimeProvider time) : NetworkStream(socket, ownsSocket)
{
    /// <summary>The mark for a stream of small messages.</summary>
    public const int MessagesLowWaterBytes = 16 << 10;

    /// <summary>The mark for bulk.</summary>
    public const int BulkLowWaterBytes = 64 << 10;

    private const int FewBytes = 512;
    private const int LowWaterMillisecondsMax = 3;
    private const int SampleReads = 32;
    private static readonly TimeSpan FillTime = TimeSpan.FromMilliseconds(2); // slower than this, the mark would only hold up what has come

    private long _sampleAt = time.GetTimestamp();
    private long _sampleBytes;
    private int _reads;
    private bool _batching;

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override int Read(Span<byte> buffer)
    {
        while (true)
        {
            var read = Socket.Receive(buffer, SocketFlags.None, out var error);
            if (error is SocketError.TimedOut or SocketError.WouldBlock && _batching)
            {
                Batch(false);
                continue;
            }
            if (error != SocketError.Success) throw new IOException("The replication connection broke.", new SocketException((int)error));
            _sampleBytes += read;
            if (_batching && read < FewBytes) Batch(false);
            else if (!_batching && ++_reads == SampleReads) Sample();
            return read;
        }
    }

    /// <summary>Waits for much at once from the first read on; a pause ends it.</summary>
    public void StartBatching()
    {
        if (OperatingSystem.IsLinux()) Batch(true);
    }

    /// <summary>Leaves the socket as it was.</summary>
    public void StopBatching()
    {
        if (_batching) Batch(false);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing && Socket.Connected) SayGoodbye();
        base.Dispose(disposing);
    }

    /// <summary>Wakes a reader that blocks in the system call, and ends the connection in order.</summary>
    private void SayGoodbye()
    {
        try
        {
            Socket.Shutdown(SocketShutdown.Both);
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // The other side was faster.
        }
    }

    private void Sample()
    {
        if (OperatingSystem.IsLinux() && time.GetElapsedTime(_sampleAt) * lowWaterBytes < FillTime * _sampleBytes) Batch(true);
        StartSample();
    }

    private void StartSample()
    {
        _reads = 0;
        _sampleBytes = 0;
        _sampleAt = time.GetTimestamp();
    }

    private void Batch(bool on)
    {
        Socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReceiveLowWater, on ? lowWaterBytes : 1);
        Socket.ReceiveTimeout = on ? LowWaterMillisecondsMax : 0;
        _batching = on;
        StartSample();
    }
}
