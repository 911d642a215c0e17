using System.Text.Json;
using DbSync.Postgres.Types;

namespace DbSync.Postgres;

/// <summary>How a table stands, as <c>dbsync.definition_of</c> writes it into the log.</summary>
internal sealed record TableDefinition(
    string Schema, string Name, uint Storage, char Identity, bool Partitioned, bool Children, uint[]? Partitions, Dictionary<string, DefinedPublication> Publications,
    DefinedColumn[] Columns, DefinedIndex[] Indexes, DefinedType[] Types)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { RespectRequiredConstructorParameters = true };

    /// <exception cref="DbSyncException">DBS3001 when it is none that the log's own functions can have written.</exception>
    public static TableDefinition Parse(string text) => Parse<TableDefinition>(text);

    /// <inheritdoc cref="Parse(string)"/>
    public static T Parse<T>(string text)
    {
        try
        {
            return JsonSerializer.Deserialize<T>(text, Json) ?? throw WireReader.Malformed("a schema change without a description");
        }
        catch (JsonException)
        {
            throw WireReader.Malformed("a schema change that can't be read");
        }
    }

    /// <summary>The columns that a publication takes.</summary>
    public IEnumerable<DefinedColumn> ColumnsIn(DefinedPublication publication)
    {
        var list = publication.Numbers();
        return Columns.Where(c => list is not null ? list.Contains(c.Number) : publication.Generated || !c.IsGenerated);
    }
}

/// <summary>How a publication takes a table.</summary>
/// <param name="Entry">Its entry for the table.</param>
/// <param name="Columns">The numbers of the columns it takes: an array, or a text with blanks between them; null for all.</param>
/// <param name="Generated">Whether generated columns are among all.</param>
internal sealed record DefinedPublication(uint Entry, JsonElement? Columns, bool Generated)
{
    public IReadOnlyList<short>? Numbers() => Columns switch
    {
        { ValueKind: JsonValueKind.Array } array => [.. array.EnumerateArray().Select(n => n.GetInt16())],
        { ValueKind: JsonValueKind.String } text => [.. text.GetString()!.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(n => short.Parse(n, System.Globalization.CultureInfo.InvariantCulture))],
        _ => null,
    };
}

/// <summary>A column; <c>Missing</c> is what rows hold that were there before it was added, in PostgreSQL's text form, null for NULL.</summary>
internal sealed record DefinedColumn(
    short Number, string Name, uint Type, int Modifier, string TypeName, int Key, uint Stamp, bool IsGenerated, bool Bytewise, string? Missing);

/// <summary>An index on plain columns.</summary>
internal sealed record DefinedIndex(string Name, short[] Options, string[] Columns);

/// <summary>An index that is gone.</summary>
internal sealed record DroppedIndex(string Schema, string Name);

/// <summary>A type of one of the columns, or a part of such a type.</summary>
internal sealed record DefinedType(
    uint Oid, string Schema, string Name, char Kind, char Category, uint BaseType, uint ElementType, uint RangeSubtype, string[] EnumLabels, bool HasBinarySend)
{
    public PgType ToType() => new(Oid, Schema, Name, Kind, Category, BaseType, ElementType, RangeSubtype, [.. EnumLabels], HasBinarySend);
}
