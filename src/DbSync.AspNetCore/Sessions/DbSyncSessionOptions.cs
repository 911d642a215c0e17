using Microsoft.AspNetCore.Http;

namespace DbSync.AspNetCore;

/// <summary>How a user's session travels between requests.</summary>
public sealed class DbSyncSessionOptions
{
    /// <summary>
    /// The cookie. Default: <c>.DbSync.Session</c>, for one hour, not readable by scripts, sent to this site only, secure where the request is. Null
    /// for none.
    /// </summary>
    public CookieBuilder? Cookie { get; set; } = new()
    {
        Name = ".DbSync.Session",
        HttpOnly = true,
        SameSite = SameSiteMode.Lax,
        SecurePolicy = CookieSecurePolicy.SameAsRequest,
        IsEssential = true,
        MaxAge = TimeSpan.FromHours(1),
        Path = "/",
    };

    /// <summary>The header of requests and responses, for clients without cookies. Default: null, none.</summary>
    public string? HeaderName { get; set; }
}
