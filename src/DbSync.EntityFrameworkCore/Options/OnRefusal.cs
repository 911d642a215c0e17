namespace DbSync.EntityFrameworkCore;

/// <summary>What happens to a query when the replica isn't as fresh as asked, and still isn't after waiting.</summary>
public enum OnRefusal
{
    /// <summary>The primary answers. The default.</summary>
    Primary = 0,

    /// <summary>The query fails with <c>DBS7002</c>.</summary>
    Throw = 1,
}
