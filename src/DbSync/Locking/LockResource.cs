using System.Text;

namespace DbSync.Locking;

/// <summary>
/// What locked ranges belong to: a table, a tenant, a queue. Locks of different resources never meet. The name is data, not syntax:
/// any text of 1 to <see cref="BytesMax"/> UTF-8 bytes without NUL, compared byte by byte (case and Unicode form count).
/// </summary>
public readonly record struct LockResource
{
    /// <summary>The longest name, in UTF-8 bytes.</summary>
    public const int BytesMax = 200;

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly string? _name;

    /// <summary>Names a resource.</summary>
    /// <exception cref="DbSyncException">DBS6004: the name is empty, too long, holds NUL or isn't valid Unicode.</exception>
    public LockResource(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (name.Length == 0 || name.Contains('\0', StringComparison.Ordinal) || ByteCount(name) is < 1 or > BytesMax)
            throw new DbSyncException(ErrorCodes.InvalidLockRange,
                "A lock resource's name is empty, too long, holds a NUL character or isn't valid Unicode.",
                $"Use a name of 1 to {BytesMax} UTF-8 bytes, such as the table's name.");
        _name = name;
    }

    /// <summary>The name.</summary>
    public string Name => _name
        ?? throw new InvalidOperationException("A default LockResource names nothing; make one with new LockResource(name).");

    /// <summary>The resource with this name.</summary>
    public static implicit operator LockResource(string name) => new(name);

    /// <summary>The resource with this name.</summary>
    public static LockResource FromString(string name) => new(name);

    /// <inheritdoc />
    public override string ToString() => _name ?? "";

    private static int ByteCount(string name)
    {
        try
        {
            return Strict.GetByteCount(name);
        }
        catch (EncoderFallbackException)
        {
            return -1;
        }
    }
}
