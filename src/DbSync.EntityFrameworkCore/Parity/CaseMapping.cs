using System.Globalization;

namespace DbSync.EntityFrameworkCore.Parity;

/// <summary>
/// PostgreSQL's lower and upper under libc, for the letters about which every locale but those of <c>PrimaryFacts.MapsCasePlainly</c> agrees with
/// Unicode's simple mapping: ASCII, Latin-1, Latin Extended-A, Greek and Cyrillic without their odd ones. Other letters with case make the
/// function fail, and the primary answers.
/// </summary>
internal static class CaseMapping
{
    public static string Lower(string text) => Map(text, char.ToLowerInvariant);

    public static string Upper(string text) => Map(text, char.ToUpperInvariant);

    private static string Map(string text, Func<char, char> map) => string.Create(text.Length, (text, map), static (target, state) =>
    {
        for (var i = 0; i < target.Length; i++) target[i] = MapOne(state.text[i], state.map);
    });

    private static char MapOne(char letter, Func<char, char> map)
    {
        if (char.IsAscii(letter) || IsPlain(letter)) return map(letter);
        return HasNoCase(letter) ? letter : throw new NotSupportedException("A letter whose case depends on the locale.");
    }

    private static bool IsPlain(char letter) => letter switch
    {
        '×' or '÷' => true,
        >= 'À' and <= 'Þ' or >= 'à' and <= 'þ' => true,
        >= 'Ā' and <= 'į' or >= 'Ĺ' and <= 'ň' or >= 'Ŋ' and <= 'ž' => true,
        >= 'Α' and <= 'Ρ' or >= 'Σ' and <= 'Ω' or >= 'α' and <= 'ρ' or >= 'σ' and <= 'ω' => true,
        >= 'Ѐ' and <= 'џ' => true,
        _ => false,
    };

    private static bool HasNoCase(char letter) => char.GetUnicodeCategory(letter) is
        UnicodeCategory.OtherLetter or UnicodeCategory.DecimalDigitNumber or UnicodeCategory.SpaceSeparator
        or UnicodeCategory.DashPunctuation or UnicodeCategory.OpenPunctuation or UnicodeCategory.ClosePunctuation or UnicodeCategory.OtherPunctuation
        or UnicodeCategory.InitialQuotePunctuation or UnicodeCategory.FinalQuotePunctuation or UnicodeCategory.MathSymbol
        or UnicodeCategory.CurrencySymbol;
}
