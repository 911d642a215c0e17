using System.Text.Json;
using System.Text.Json.Serialization;

namespace DbSync.EntityFrameworkCore.Tests.Parity;

/// <summary>Answers as text that shows every difference: kinds of DateTimes and scales of decimals too.</summary>
internal static class Answers
{
    private static readonly JsonSerializerOptions Options = new()
    {
        ReferenceHandler = ReferenceHandler.IgnoreCycles,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        WriteIndented = false,
    };

    public static string Json<T>(T value) => JsonSerializer.Serialize(value, value?.GetType() ?? typeof(T), Options);

    /// <summary>What running it gives: the answer, or the kind of failure.</summary>
    public static string Of(Func<object?> run)
    {
        try
        {
            return Json(run());
        }
        catch (Exception exception) when (exception is not DbSyncException)
        {
            return $"throws {exception.GetType().Name}";
        }
    }
}
