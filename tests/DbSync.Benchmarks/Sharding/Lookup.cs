using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;

namespace DbSync.Benchmarks.Sharding;

/// <summary>From a key to its shard: nanoseconds of a lookup, hash included, and what it allocates.</summary>
internal static class Lookup
{
    private const int Keys = 20_000;
    private const int Slices = 400;
    private const int TextBytes = 32;
    private const int Shards = 100;

    public static void Measure(BenchmarkReport report)
    {
        var shards = ShardingBenchmark.Shards(Shards);
        var map = new BucketScheme().Build(shards, null);
        var ours = Integers(map);
        report.Add(Figure.AtMost($"lookup of an int64 key, {Shards} shards, DbSync buckets", ours, "ns", 5));
        var text = Texts(map, RandomNumberGenerator.GetBytes(Keys * TextBytes));
        report.Add(Figure.AtMost($"lookup of a {TextBytes}-byte text key, {Shards} shards, DbSync buckets", text, "ns", 25));
        report.Add(Figure.AtMost("allocated by a lookup", AllocatedBytes(map), "bytes", 0));

        Peer(new RingScheme(128));
        Peer(new RingScheme(1024));
        Peer(new JumpScheme());
        Peer(new MaglevScheme());

        void Peer<T>(IPlacementScheme<T> scheme)
            where T : struct, IKeyPlacement =>
            report.Add(new Figure($"lookup of an int64 key, {Shards} shards, {scheme.Name}", Integers(scheme.Build(shards, null)), "ns")
                .Beside("DbSync buckets", ours));
    }

    private static double AllocatedBytes(BucketPlacement placement)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        var sum = 0;
        for (var key = 0; key < Keys; key++)
            sum += placement.Find(PostgresHash.OfInteger(key)) + placement.Find(PostgresHash.OfBytes("a key of text"u8));
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        GC.KeepAlive(sum);
        return allocated / (double)Keys;
    }

    /// <summary>
    /// The time at the 10th percentile of many short slices: other work on the machine makes slices longer, never shorter.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double Integers<T>(T placement)
        where T : struct, IKeyPlacement
    {
        var times = new double[Slices];
        var sum = 0L;
        for (var slice = 0; slice < Slices; slice++)
        {
            var started = Stopwatch.GetTimestamp();
            var first = (long)slice * Keys;
            for (var key = first; key < first + Keys; key++) sum += placement.Find(PostgresHash.OfInteger(key));
            times[slice] = Stopwatch.GetElapsedTime(started).TotalNanoseconds / Keys;
        }

        GC.KeepAlive(sum);
        Array.Sort(times);
        return times[Slices / 10];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double Texts(BucketPlacement placement, ReadOnlySpan<byte> texts)
    {
        var times = new double[Slices];
        var sum = 0L;
        for (var slice = 0; slice < Slices; slice++)
        {
            var started = Stopwatch.GetTimestamp();
            for (var key = 0; key < Keys; key++) sum += placement.Find(PostgresHash.OfBytes(texts.Slice(key * TextBytes, TextBytes)));
            times[slice] = Stopwatch.GetElapsedTime(started).TotalNanoseconds / Keys;
        }

        GC.KeepAlive(sum);
        Array.Sort(times);
        return times[Slices / 10];
    }
}
