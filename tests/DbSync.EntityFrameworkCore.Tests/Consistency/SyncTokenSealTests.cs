using System.Buffers.Text;
using System.Security.Cryptography;
using DbSync.EntityFrameworkCore.Consistency;

namespace DbSync.EntityFrameworkCore.Tests.Consistency;

public sealed class SyncTokenSealTests
{
    private static readonly SyncToken Token = new(7_123_456_789_012_345_678, 3, Lsn.Parse("16/B374D848"));
    private readonly byte[] _key = RandomNumberGenerator.GetBytes(32);

    [Fact]
    public void A_sealed_token_opens_to_the_token_shows_nothing_of_it_and_is_never_the_same_twice()
    {
        var seal = new SyncTokenSeal([_key]);
        var texts = Enumerable.Range(0, 100).Select(_ => seal.Seal(Token)).ToList();
        texts.Distinct().Count().ShouldBe(100);
        foreach (var text in texts)
        {
            seal.TryOpen(text, out var opened).ShouldBeTrue();
            opened.ShouldBe(Token);
            text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_').ShouldBeTrue();
            SyncToken.TryParse(text, out _).ShouldBeFalse();
        }
        Span<byte> plain = stackalloc byte[SyncToken.Bytes];
        Token.Write(plain);
        Base64Url.DecodeFromChars(texts[0]).AsSpan().IndexOf(plain[13..]).ShouldBe(-1);
    }

    [Fact]
    public void No_byte_can_be_changed_and_none_left_out()
    {
        var seal = new SyncTokenSeal([_key]);
        var bytes = Base64Url.DecodeFromChars(seal.Seal(Token));
        for (var i = 0; i < bytes.Length; i++)
        {
            var changed = bytes.ToArray();
            changed[i] ^= 1;
            seal.TryOpen(Base64Url.EncodeToString(changed), out _).ShouldBeFalse($"byte {i}");
            seal.TryOpen(Base64Url.EncodeToString(bytes.AsSpan(0, i)), out _).ShouldBeFalse($"cut at {i}");
        }
        seal.TryOpen(Base64Url.EncodeToString([.. bytes, 0]), out _).ShouldBeFalse();
        seal.TryOpen(Token.ToString(), out _).ShouldBeFalse();
        seal.TryOpen(new string('%', 72), out _).ShouldBeFalse();
    }

    [Fact]
    public void Keys_are_changed_while_tokens_are_on_their_way()
    {
        var next = RandomNumberGenerator.GetBytes(48);
        var (old, both, done) = (new SyncTokenSeal([_key]), new SyncTokenSeal([next, _key]), new SyncTokenSeal([next]));
        both.TryOpen(old.Seal(Token), out var opened).ShouldBeTrue();
        opened.ShouldBe(Token);
        old.TryOpen(both.Seal(Token), out _).ShouldBeFalse();
        done.TryOpen(both.Seal(Token), out _).ShouldBeTrue();
        done.TryOpen(old.Seal(Token), out _).ShouldBeFalse();
    }
}
