using System.Security.Cryptography;
using Microsoft.AspNetCore.DataProtection;

namespace DbSync.AspNetCore;

/// <summary>Makes tokens opaque, and finds those that this application didn't make.</summary>
internal sealed class SessionProtector(IDataProtectionProvider provider)
{
    private const int LengthMax = 2048; // tokens are short; what is longer isn't worth a decryption
    private readonly IDataProtector _protector = provider.CreateProtector("DbSync.Session.v1");

    public string Protect(string token) => _protector.Protect(token);

    /// <summary>The token; null for what was forged, changed, or protected with a key that is gone.</summary>
    public string? TryUnprotect(string? value)
    {
        if (value is not { Length: > 0 and <= LengthMax }) return null;
        try
        {
            return _protector.Unprotect(value);
        }
        catch (Exception exception) when (exception is CryptographicException or FormatException)
        {
            return null;
        }
    }
}
