using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace DbSync.EntityFrameworkCore.Routing;

/// <summary>
/// An answer as a text that is equal when the answers are. Objects inside a row (what it includes) come in no particular order; values in a list of
/// values do.
/// </summary>
internal static class AnswerText
{
    private static readonly JsonSerializerOptions Json = new()
    {
        ReferenceHandler = ReferenceHandler.IgnoreCycles, NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    /// <param name="answer">A list of rows, or one value.</param>
    /// <param name="isOrdered">Whether the order of the rows counts.</param>
    public static string Of(object? answer, bool isOrdered)
    {
        if (answer is not System.Collections.IList rows || answer is Array) return One(answer);
        var texts = rows.Cast<object?>().Select(One);
        return string.Join('\n', isOrdered ? texts : texts.Order(StringComparer.Ordinal));
    }

    private static string One(object? value) => Settled(JsonSerializer.SerializeToNode(value, value?.GetType() ?? typeof(object), Json))?.ToJsonString(Json) ?? "null";

    private static JsonNode? Settled(JsonNode? node) => node switch
    {
        JsonObject fields => new JsonObject(fields.Select(f => KeyValuePair.Create(f.Key, Settled(f.Value)))),
        JsonArray items when items.Any(i => i is JsonObject) => new JsonArray([.. items.Select(Settled).OrderBy(i => i?.ToJsonString(Json), StringComparer.Ordinal)]),
        JsonArray items => new JsonArray([.. items.Select(Settled)]),
        _ => node?.DeepClone(),
    };
}
