using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Text;
using DbSync.Postgres.Types;
using DbSync.Testing;

namespace DbSync.Postgres.Tests.Stream;

/// <summary>Messages of pgoutput as a server sent them, each with a four-byte length before it, and what they say as text.</summary>
internal static class RecordedStream
{
    /// <summary>The recording of <see cref="Workload"/>.</summary>
    public const string Whole = "workload";

    /// <summary>The recording of <see cref="Streamed"/>, with blocks of transactions that have not ended.</summary>
    public const string InBlocks = "streamed";

    /// <summary>What <c>Recorded/*.bin</c> were recorded from.</summary>
    public const string Schema =
        """
        CREATE TYPE mood AS ENUM ('sad', 'ok');
        CREATE TABLE plain (id bigint PRIMARY KEY, n int, flag bool, amount numeric(12,2), at timestamptz, body text, raw bytea, key uuid, tags text[], doc jsonb, real float8, feeling mood);
        CREATE TABLE pair (b text, a int, big text, PRIMARY KEY (a, b));
        ALTER TABLE pair ALTER big SET STORAGE EXTERNAL;
        CREATE TABLE by_index (id int PRIMARY KEY, code text NOT NULL, v text);
        CREATE UNIQUE INDEX by_code ON by_index (code);
        ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_code;
        CREATE TABLE full_keyless (a int, b text, big text);
        ALTER TABLE full_keyless REPLICA IDENTITY FULL;
        ALTER TABLE full_keyless ALTER big SET STORAGE EXTERNAL;
        CREATE TABLE full_keyed (id int PRIMARY KEY, v text, big text);
        ALTER TABLE full_keyed REPLICA IDENTITY FULL;
        ALTER TABLE full_keyed ALTER big SET STORAGE EXTERNAL;
        CREATE TABLE "Weird ""Näme" ("Ünï ""c" int PRIMARY KEY, "select" text);
        CREATE TABLE unpublished (id int);
        CREATE PUBLICATION recorded FOR TABLE plain, pair, by_index, full_keyless, full_keyed, "Weird ""Näme";
        """;

    /// <summary>One transaction an entry.</summary>
    public static readonly string[] Workload =
    [
        "INSERT INTO plain VALUES (1, -5, true, 12.50, '2024-02-29 12:34:56.789+00', 'text ü', '\\x00ff', '0e0e0e0e-0000-4000-8000-000000000001', '{a,NULL,\"b,c\"}', '{\"k\": [1, null]}', -0.0, 'ok'), (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
        "UPDATE plain SET n = n + 1, body = '' WHERE id = 1",
        "UPDATE plain SET id = 20 WHERE id = 2; DELETE FROM plain WHERE id = 1",
        "INSERT INTO pair SELECT 'k' || g, g, repeat('x', 3000 + g) FROM generate_series(1, 4) g",
        "UPDATE pair SET b = b || '!' WHERE a = 1; UPDATE pair SET a = -a WHERE a = 2; UPDATE pair SET big = NULL WHERE a = 3",
        "INSERT INTO by_index VALUES (1, 'one', 'v'); UPDATE by_index SET id = 2; UPDATE by_index SET code = 'two'; DELETE FROM by_index",
        "INSERT INTO full_keyless VALUES (1, 'dup', NULL), (1, 'dup', NULL), (NULL, NULL, repeat('y', 3000))",
        "UPDATE full_keyless SET b = 'moved' WHERE a IS NULL; DELETE FROM full_keyless WHERE ctid = (SELECT ctid FROM full_keyless WHERE a = 1 LIMIT 1)",
        "INSERT INTO full_keyed VALUES (1, 'v', repeat('z', 3000)); UPDATE full_keyed SET v = 'w'; UPDATE full_keyed SET id = 5; DELETE FROM full_keyed",
        "INSERT INTO plain (id) VALUES (30); SAVEPOINT a; INSERT INTO plain (id) VALUES (31); ROLLBACK TO a; SAVEPOINT b; INSERT INTO plain (id) VALUES (32); RELEASE b; INSERT INTO plain (id) VALUES (33)",
        "INSERT INTO unpublished VALUES (1)",
        "INSERT INTO \"Weird \"\"Näme\" VALUES (7, 'q')",
        "TRUNCATE plain, pair, full_keyless RESTART IDENTITY CASCADE",
        "SELECT pg_logical_emit_message(true, 'dbsync', 'hello'); INSERT INTO plain (id, n) VALUES (40, 1)",
        "ALTER TABLE plain ADD COLUMN later int DEFAULT 9; INSERT INTO plain (id) VALUES (41); ALTER TABLE plain DROP COLUMN n; UPDATE plain SET later = 10 WHERE id = 40",
        "SELECT pg_replication_origin_session_setup('recorded'); SELECT pg_replication_origin_xact_setup('0/1', now()); INSERT INTO plain (id) VALUES (42)",
    ];

    /// <summary>Statements of two connections, each in the transaction that the connection has open; a third is a bystander's.</summary>
    public static readonly (int Connection, string Sql)[] Streamed =
    [
        (1, "BEGIN; INSERT INTO plain (id, body) SELECT g, repeat('a', 400) FROM generate_series(1000, 1170) g"),
        (2, "BEGIN; INSERT INTO pair SELECT 'k' || g, g, repeat('x', 3000) FROM generate_series(1000, 1025) g"),
        (1, "SAVEPOINT a; INSERT INTO by_index SELECT g, 'gone' || g, repeat('g', 400) FROM generate_series(1, 170) g"),
        (2, "SAVEPOINT a; UPDATE pair SET b = b || '!' WHERE a > 1000; SAVEPOINT b; DELETE FROM pair WHERE a = 1001; RELEASE b"),
        (3, "INSERT INTO plain (id) VALUES (1)"),
        (1, "SAVEPOINT b; DELETE FROM plain WHERE id < 1100; ROLLBACK TO a; INSERT INTO by_index SELECT g, 'kept' || g, repeat('k', 400) FROM generate_series(1, 170) g"),
        (2, "INSERT INTO full_keyless SELECT g, 'b', repeat('y', 3000) FROM generate_series(1, 25) g; COMMIT"),
        (1, "TRUNCATE full_keyless; INSERT INTO full_keyed SELECT g, 'v', repeat('z', 3000) FROM generate_series(1, 25) g; COMMIT"),
        (2, "BEGIN; DELETE FROM pair; INSERT INTO plain (id, body) SELECT g, repeat('r', 400) FROM generate_series(2000, 2170) g; ROLLBACK"),
        (3, "DELETE FROM pair WHERE a < 1010"),
    ];

    public static IReadOnlyList<byte[]> Load(string name = Whole) => Split(File.ReadAllBytes(Path.Combine(Folder(), $"{name}.bin")));

    public static string Golden(string name = Whole) => File.ReadAllText(Path.Combine(Folder(), $"{name}.txt"));

    public static void Save(string name, IReadOnlyList<byte[]> messages, string golden)
    {
        using var file = File.Create(Path.Combine(Folder(), $"{name}.bin"));
        var length = new byte[4];
        foreach (var message in messages)
        {
            BinaryPrimitives.WriteInt32LittleEndian(length, message.Length);
            file.Write(length);
            file.Write(message);
        }
        File.WriteAllText(Path.Combine(Folder(), $"{name}.txt"), golden);
    }

    public static PgOutputDecoder Decoder(SpillDirectory? spill = null) => new(
        new MessageResolver(), new PartPool(1024, 16, 1 << 24), partBytesMax: 1 << 20, TimeProvider.System, spill is null ? null : new StreamedTransactions(spill));

    /// <summary>A folder for transactions in progress.</summary>
    public static SpillDirectory Spill(TemporaryDirectory directory)
    {
        var spill = new SpillDirectory(directory["spill"], bytesMax: 1 << 24, TimeSpan.Zero, TimeProvider.System);
        spill.Prepare();
        return spill;
    }

    /// <summary>What a whole stream says: a line for each transaction's end and for each change, without what differs from run to run.</summary>
    public static string Describe(IEnumerable<byte[]> messages)
    {
        using var directory = new TemporaryDirectory();
        using var decoder = Decoder(Spill(directory));
        return Describe(decoder, messages);
    }

    public static string Describe(PgOutputDecoder decoder, IEnumerable<byte[]> messages)
    {
        var text = new StringBuilder();
        foreach (var message in messages)
        {
            Describe(decoder.Decode(message), text);
            while (decoder.HasReplay) Describe(decoder.Replay(), text);
        }
        return text.ToString();
    }

    public static void Describe(TransactionPart? part, StringBuilder text)
    {
        if (part is null) return;
        var reader = new ChangeReader(part);
        while (reader.Read())
            text.Append(reader.Kind).Append(' ').Append(reader.Table.ReplicaName).Append(": ").AppendJoin(" | ", TestTable.Values(reader.Cells).Select(Show)).Append('\n');
        if (part.Ends) text.Append(part.ChangeCount == 0 ? "(nothing)\n\n" : "\n");
    }

    private static string Show(object? value) => value switch
    {
        null => "NULL",
        string { Length: > 100 } text => $"{text[0]} x {text.Length}",
        string text => $"'{text}'",
        double number => $"real {number:R}",
        byte[] bytes => $"x{Convert.ToHexString(bytes)}",
        _ when ReferenceEquals(value, TestTable.Unchanged) => "unchanged",
        _ => $"{value}",
    };

    private static List<byte[]> Split(byte[] file)
    {
        var messages = new List<byte[]>();
        for (var rest = file.AsSpan(); !rest.IsEmpty;)
        {
            var length = BinaryPrimitives.ReadInt32LittleEndian(rest);
            messages.Add(rest.Slice(4, length).ToArray());
            rest = rest[(4 + length)..];
        }
        return messages;
    }

    private static string Folder([CallerFilePath] string here = "") => Path.Combine(Path.GetDirectoryName(here)!, "Recorded");

    /// <summary>Completes relation messages without a catalog: built-in types by their fixed ids, the rest as text; FULL tables named _keyed have their first column as key.</summary>
    private sealed class MessageResolver : IRelationResolver
    {
        private static readonly Dictionary<uint, string> Names = new()
        {
            [16] = "bool", [17] = "bytea", [20] = "int8", [23] = "int4", [25] = "text", [701] = "float8", [1184] = "timestamptz", [1700] = "numeric",
            [2950] = "uuid", [3802] = "jsonb",
        };

        public Relation Resolve(RelationMessage message, uint xid)
        {
            var codecs = message.Columns.Select(c => TypeTable.CodecFor(TypeOf(c.TypeOid), TypeOf)).ToArray();
            var flagged = message.Columns.Select((c, i) => (c.IsIdentity, i)).Where(c => c.IsIdentity).Select(c => c.i);
            int[] key = message.Identity != ReplicaIdentity.Full ? [.. flagged] : message.Name.EndsWith("_keyed", StringComparison.Ordinal) ? [0] : [];
            var columns = message.Columns.Select((c, i) => new ColumnSchema(c.Name, c.TypeOid, c.TypeModifier, "", codecs[i].Storage));
            return new Relation(new TableSchema(new TableId(message.Oid), message.Schema, message.Name, message.Identity, [.. columns], [.. key], [], []), codecs);
        }

        private static PgType TypeOf(uint oid) => oid == 1009
            ? new PgType(oid, PgType.SystemSchema, "_text", 'b', 'A', 0, 25, 0, [], true)
            : Names.TryGetValue(oid, out var name) ? new PgType(oid, PgType.SystemSchema, name, 'b', 'X', 0, 0, 0, [], true) : PgType.Dropped(oid);
    }
}
