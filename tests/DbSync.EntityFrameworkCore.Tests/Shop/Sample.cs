using System.Net;

namespace DbSync.EntityFrameworkCore.Tests.Shop;

/// <summary>A row of the types that shops seldom have.</summary>
public sealed class Sample
{
    public int Id { get; set; }
    public required IPAddress Host { get; set; }
    public IPAddress? Proxy { get; set; }
    public uint Object { get; set; }
    public string? Json { get; set; }
    public string? Xml { get; set; }
    public long[] Longs { get; set; } = [];
    public short[] Shorts { get; set; } = [];
    public bool[] Flags { get; set; } = [];
    public Guid[] Keys { get; set; } = [];
    public List<string?> Labels { get; set; } = [];
    public string[]? Names { get; set; }
    public Size Size { get; set; } = new();
    public required string Text { get; set; }
    public string? Short { get; set; }
    public string? Padded { get; set; }
    public int Int { get; set; }
    public long Long { get; set; }
    public decimal Amount { get; set; }
    public decimal? Exact { get; set; }
    public double? Double { get; set; }
    public DateTime At { get; set; }
    public DateTime? Local { get; set; }
    public DateTimeOffset? Offset { get; set; }
    public DateOnly? Day { get; set; }
    public TimeOnly Time { get; set; }
    public TimeSpan Span { get; set; }
    public byte[] Bytes { get; set; } = [];
}

/// <summary>A row that only PostgreSQL reads: infinities, and types that the replica doesn't.</summary>
public sealed class Oddity
{
    public int Id { get; set; }
    public DateTime Until { get; set; }
    public char Letter { get; set; }
    public byte Tiny { get; set; }
}

/// <summary>A complex type, spread over columns.</summary>
public sealed class Size
{
    public int Width { get; set; }
    public decimal? Height { get; set; }
    public Unit Unit { get; set; } = new();
}

/// <summary>A complex type within one.</summary>
public sealed class Unit
{
    public string Name { get; set; } = "";
}
