using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using DbSync.Postgres.Types;
using DbSync.Testing;
using Npgsql;

namespace DbSync.Postgres.Tests.Types;

/// <summary>A database with one type of every kind, and the two ways that a value leaves it.</summary>
public sealed class TypeDatabase(PostgresFixture postgres) : IAsyncLifetime
{
    private const string SetupSql =
        """
        CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE EXTENSION ltree;
        CREATE SCHEMA app;
        CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s "fine"', 'ünï');
        CREATE TYPE app."Mood" AS ENUM ('b', 'a');
        CREATE DOMAIN posint AS int4 NOT NULL CHECK (VALUE > 0);
        CREATE DOMAIN nested AS posint;
        CREATE DOMAIN ints AS int4[];
        CREATE TYPE pair AS (a int4, b text);
        CREATE TYPE floatrange AS RANGE (subtype = float8);
        """;

    private NpgsqlConnection? _connection;

    internal NpgsqlConnection Connection => _connection ?? throw new InvalidOperationException("The fixture has not started.");

    internal string ConnectionString { get; private set; } = "";

    internal TypeCatalog Catalog { get; } = new();

    public async ValueTask InitializeAsync()
    {
        var settings = new NpgsqlConnectionStringBuilder(await postgres.CreateDatabaseAsync()) { Pooling = false };
        SessionSettings.Pin(settings);
        ConnectionString = settings.ConnectionString;
        _connection = new NpgsqlConnection(ConnectionString);
        await _connection.OpenAsync();
        await ExecuteAsync(SetupSql);
        await _connection.ReloadTypesAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_connection is not null) await _connection.DisposeAsync();
    }

    internal async Task ExecuteAsync(string sql)
    {
        await using var command = new NpgsqlCommand(sql, Connection);
        await command.ExecuteNonQueryAsync();
    }

    internal async Task<TypeCodec> CodecAsync(string type)
    {
        await using var command = new NpgsqlCommand("SELECT $1::regtype::oid", Connection) { Parameters = { new() { Value = type } } };
        var oid = (uint)(await command.ExecuteScalarAsync())!;
        Catalog.Load(Connection, [oid]);
        return Catalog.CodecFor(oid);
    }

    /// <summary>One column of a query as the output function prints it, which is also what pgoutput sends.</summary>
    internal async Task<List<byte[]?>> TextAsync(string query)
    {
        var values = new List<byte[]?>();
        using var reader = await Connection.BeginTextExportAsync($"COPY ({query}) TO STDOUT");
        while (await reader.ReadLineAsync() is { } line) values.Add(line == "\\N" ? null : Unescape(Encoding.UTF8.GetBytes(line)));
        return values;
    }

    /// <summary>One column of a query in the send format.</summary>
    internal async Task<List<byte[]?>> BinaryAsync(string query)
    {
        await using var stream = await Connection.BeginRawBinaryCopyAsync($"COPY ({query}) TO STDOUT (FORMAT binary)");
        using var memory = new MemoryStream();
        await stream.CopyToAsync(memory);
        return Fields(memory.GetBuffer().AsSpan(0, (int)memory.Length));
    }

    internal async Task<List<string?>> StringsAsync(string query)
    {
        var values = new List<string?>();
        await using var command = new NpgsqlCommand(query, Connection);
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync()) values.Add(reader.IsDBNull(0) ? null : reader.GetString(0));
        return values;
    }

    internal static string Canonical(TypeCodec codec, Cell cell)
    {
        var writer = new ArrayBufferWriter<byte>();
        codec.WriteCanonical(cell, writer);
        return Encoding.UTF8.GetString(writer.WrittenSpan);
    }

    private static List<byte[]?> Fields(ReadOnlySpan<byte> copy)
    {
        const int HeaderBytes = 19;
        var values = new List<byte[]?>();
        for (copy = copy[HeaderBytes..]; BinaryPrimitives.ReadInt16BigEndian(copy) == 1;)
        {
            var length = BinaryPrimitives.ReadInt32BigEndian(copy[2..]);
            copy = copy[6..];
            values.Add(length < 0 ? null : copy[..length].ToArray());
            copy = copy[Math.Max(length, 0)..];
        }
        return values;
    }

    private static byte[] Unescape(byte[] escaped)
    {
        var plain = new List<byte>(escaped.Length);
        for (var i = 0; i < escaped.Length; i++)
        {
            if (escaped[i] != '\\')
            {
                plain.Add(escaped[i]);
                continue;
            }
            var letter = "bfnrtv"u8.IndexOf(escaped[++i]);
            plain.Add(letter < 0 ? escaped[i] : "\b\f\n\r\t\v"u8[letter]);
        }
        return [.. plain];
    }
}
