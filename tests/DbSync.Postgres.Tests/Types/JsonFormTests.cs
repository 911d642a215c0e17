using System.Text;
using System.Text.Json;
using CsCheck;
using DbSync.Postgres.Types;

namespace DbSync.Postgres.Tests.Types;

/// <summary>Elements of arrays are written as EF Core writes them, with a Utf8JsonWriter of default options.</summary>
public class JsonFormTests
{
    [Fact]
    public void Strings_are_escaped_as_EF_escapes_them() =>
        Gen.String.Where(Round).Array[0, 8].Sample(values => Store("text", PostgresText(values)) == Json(values, (w, v) => w.WriteStringValue(v)));

    [Fact]
    public void Doubles_have_the_digits_that_EF_writes() =>
        Gen.Double.Where(double.IsFinite).Array[0, 8].Sample(values =>
            Store("float8", $"{{{string.Join(',', values.Select(v => v.ToString("R")))}}}") == Json(values, (w, v) => w.WriteNumberValue(v)));

    [Fact]
    public void Floats_have_the_digits_that_EF_writes() =>
        Gen.Float.Where(float.IsFinite).Array[0, 8].Sample(values =>
            Store("float4", $"{{{string.Join(',', values.Select(v => v.ToString("R")))}}}") == Json(values, (w, v) => w.WriteNumberValue(v)));

    private static bool Round(string value) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(value)) == value;

    private static string PostgresText(string[] values) =>
        "{" + string.Join(',', values.Select(v => "\"" + v.Replace("\\", "\\\\").Replace("\"", "\\\"") + "\"")) + "}";

    private static string Json<T>(T[] values, Action<Utf8JsonWriter, T> write)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartArray();
            foreach (var value in values) write(writer, value);
            writer.WriteEndArray();
        }
        return $"text {Encoding.UTF8.GetString(stream.ToArray())}";
    }

    private static string Store(string element, string array)
    {
        var codec = TypeTable.ArrayOf(TypeTable.System[element]);
        var buffer = new ChangeBuffer(64);
        codec.DecodeText(Encoding.UTF8.GetBytes(array), buffer).ShouldBeTrue();
        return CellText.Of(buffer);
    }
}
