using System.Buffers.Text;
using System.Security.Cryptography;

namespace DbSync.EntityFrameworkCore.Consistency;

/// <summary>
/// Makes tokens opaque, and finds those that nobody with a key made: AES-256-GCM (NIST SP 800-38D) with a random nonce. A token is one byte of version,
/// the key's id, the nonce, the encrypted token and the tag, as Base64Url; everything before the encrypted part is authenticated too.
/// </summary>
internal sealed class SyncTokenSeal
{
    public const int KeyBytesMin = 32;
    private const byte Version = 1;
    private const int IdBytes = 4;
    private const int NonceBytes = 12;
    private const int TagBytes = 16;
    private const int HeadBytes = 1 + IdBytes + NonceBytes;
    private const int Bytes = HeadBytes + SyncToken.Bytes + TagBytes;

    private readonly Key[] _keys;

    /// <param name="keys">The first seals; all open.</param>
    public SyncTokenSeal(IEnumerable<byte[]> keys) => _keys = [.. keys.Select(k => new Key(k))];

    public string Seal(SyncToken token)
    {
        Span<byte> sealedToken = stackalloc byte[Bytes];
        var head = sealedToken[..HeadBytes];
        head[0] = Version;
        _keys[0].Id.CopyTo(head[1..]);
        RandomNumberGenerator.Fill(head[^NonceBytes..]);
        Span<byte> plain = stackalloc byte[SyncToken.Bytes];
        token.Write(plain);
        using var cipher = new AesGcm(_keys[0].Secret, TagBytes);
        cipher.Encrypt(head[^NonceBytes..], plain, sealedToken[HeadBytes..^TagBytes], sealedToken[^TagBytes..], head);
        return Base64Url.EncodeToString(sealedToken);
    }

    /// <summary>Opens a token; false for what was forged, cut, changed, or sealed with a key that isn't here.</summary>
    public bool TryOpen(string text, out SyncToken token)
    {
        token = default;
        Span<byte> sealedToken = stackalloc byte[Bytes];
        if (text.Length != Base64Url.GetEncodedLength(Bytes) || !Base64Url.IsValid(text)) return false;
        if (!Base64Url.TryDecodeFromChars(text, sealedToken, out var written) || written != Bytes || sealedToken[0] != Version) return false;
        var head = sealedToken[..HeadBytes];
        Span<byte> plain = stackalloc byte[SyncToken.Bytes];
        foreach (var key in _keys)
        {
            if (!head.Slice(1, IdBytes).SequenceEqual(key.Id)) continue;
            using var cipher = new AesGcm(key.Secret, TagBytes);
            try
            {
                cipher.Decrypt(head[^NonceBytes..], sealedToken[HeadBytes..^TagBytes], sealedToken[^TagBytes..], plain, head);
            }
            catch (AuthenticationTagMismatchException)
            {
                continue; // another key may have the same id
            }
            return SyncToken.TryRead(plain, out token);
        }
        return false;
    }

    /// <summary>A key of the application's, stretched (HKDF, RFC 5869) so that nothing else it is used for meets this.</summary>
    private sealed class Key(byte[] material)
    {
        public byte[] Id { get; } = HKDF.DeriveKey(HashAlgorithmName.SHA256, material, IdBytes, info: "DbSync.SyncToken.v1.id"u8.ToArray());

        public byte[] Secret { get; } = HKDF.DeriveKey(HashAlgorithmName.SHA256, material, 32, info: "DbSync.SyncToken.v1.key"u8.ToArray());
    }
}
