using System.Text;

namespace DbSync.Postgres;

/// <summary>Rows of the schema log: they become changes of the tables that they speak of, and are stored nowhere.</summary>
internal sealed partial class PgOutputDecoder
{
    private TransactionPart? LogSchema(ref WireReader reader, Relation relation)
    {
        var (change, command) = ("", "");
        var oid = 0u;
        string? definition = null;
        var columns = relation.Table.Columns;
        if (reader.Int16() != columns.Length) throw WireReader.Malformed("a row with another number of columns than its table");
        for (var i = 0; i < columns.Length; i++)
        {
            switch (reader.Byte())
            {
                case (byte)'t':
                    var value = reader.Bytes(reader.Int32());
                    if (columns[i].Name == "relation" && !uint.TryParse(value, out oid)) throw WireReader.Malformed("a schema change of no table");
                    else if (columns[i].Name == "change") change = Encoding.UTF8.GetString(value);
                    else if (columns[i].Name == "command") command = Encoding.UTF8.GetString(value);
                    else if (columns[i].Name == "definition") definition = Encoding.UTF8.GetString(value);
                    break;
                case (byte)'n':
                    break;
                default:
                    throw WireReader.Malformed("a value of an unknown kind");
            }
        }
        reader.End();
        if (resolver.ReadLog(change, oid, command, definition) is not { } entry) return null;
        var part = Part();
        var start = part.BeginChange(entry.Kind, entry.Table);
        if (entry.Kind == ChangeKind.Alter)
        {
            WriteAlteration(part, entry);
            Follow(_relations, entry);
            if (_replay is { } replay) Follow(replay.Outside, entry);
        }
        if (entry.Kind == ChangeKind.Drop) part.Changes.WriteInteger(entry.IsGone ? 1 : 0);
        _last = null;
        return End(part, start);
    }

    /// <summary>A change that the stream does not announce, of a type's name or labels, holds for the rows that follow all the same.</summary>
    private static void Follow(Dictionary<uint, Relation> relations, SchemaEntry entry)
    {
        if (relations.TryGetValue(entry.Table.Id.Oid, out var relation) && relation.IsAnnouncedLike(entry.Table))
            relations[entry.Table.Id.Oid] = new Relation(entry.Table, entry.Codecs!);
    }

    private static void WriteAlteration(TransactionPart part, SchemaEntry entry)
    {
        part.Changes.WriteInteger((long)entry.Flags);
        for (var i = 0; i < entry.Missing!.Length; i++)
        {
            if (entry.Missing[i] is not { } text) part.Changes.WriteNull();
            else if (!entry.Codecs![i].DecodeText(Encoding.UTF8.GetBytes(text), part.Changes)) part.MarkKept(entry.Table, i);
        }
    }
}
