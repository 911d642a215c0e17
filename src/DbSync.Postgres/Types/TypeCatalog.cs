using System.Collections.Concurrent;
using Npgsql;
using NpgsqlTypes;

namespace DbSync.Postgres.Types;

/// <summary>The primary's types, loaded by object identifier when first met and then remembered, with the codec of each.</summary>
internal sealed class TypeCatalog
{
    // The types asked for and all that they are made of: the base of a domain, the elements of an array, both at any depth.
    private const string LoadSql =
        """
        WITH RECURSIVE wanted(oid) AS (
            SELECT unnest($1::oid[])
            UNION
            SELECT part.oid
            FROM wanted
            JOIN pg_catalog.pg_type AS t ON t.oid = wanted.oid
            CROSS JOIN LATERAL (VALUES
                (t.typbasetype),
                (CASE WHEN t.typoutput = 'pg_catalog.array_out'::regproc THEN t.typelem ELSE 0 END)) AS part(oid)
            WHERE part.oid <> 0
        )
        SELECT
            t.oid,
            n.nspname::text,
            t.typname::text,
            t.typtype::text,
            t.typcategory::text,
            t.typbasetype,
            CASE WHEN t.typoutput = 'pg_catalog.array_out'::regproc THEN t.typelem ELSE 0::oid END,
            coalesce(r.rngsubtype, 0::oid),
            ARRAY(SELECT e.enumlabel::text FROM pg_catalog.pg_enum AS e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder),
            t.typsend <> 0
        FROM wanted
        JOIN pg_catalog.pg_type AS t ON t.oid = wanted.oid
        JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
        LEFT JOIN pg_catalog.pg_range AS r ON t.oid IN (r.rngtypid, r.rngmultitypid)
        """;

    private readonly ConcurrentDictionary<uint, PgType> _types = new();
    private readonly ConcurrentDictionary<uint, TypeCodec> _codecs = new();

    /// <summary>True when the type was loaded.</summary>
    public bool Contains(uint oid) => _types.ContainsKey(oid);

    /// <summary>
    /// Loads the types, again if they are known: an enum may have new labels. One that no longer exists is remembered as
    /// <see cref="PgType.Dropped"/>.
    /// </summary>
    public void Load(NpgsqlConnection connection, IReadOnlyCollection<uint> oids)
    {
        if (oids.Count == 0) return;
        var loaded = new Dictionary<uint, PgType>();
        using (var command = new NpgsqlCommand(LoadSql, connection))
        {
            command.Parameters.Add(new() { Value = oids.ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Oid });
            using var reader = command.ExecuteReader();
            while (reader.Read())
            {
                var type = Read(reader);
                loaded[type.Oid] = type;
            }
        }
        foreach (var oid in oids) loaded.TryAdd(oid, PgType.Dropped(oid));
        foreach (var (oid, type) in loaded) _types[oid] = type;
        foreach (var oid in loaded.Keys) _codecs.TryRemove(oid, out _);
    }

    /// <summary>Takes a type that is described elsewhere.</summary>
    public void Add(PgType type) => _types[type.Oid] = type;

    /// <summary>A type loaded before.</summary>
    public PgType Find(uint oid) =>
        _types.TryGetValue(oid, out var type) ? type : throw new InvalidOperationException($"Type {oid} was not loaded.");

    /// <summary>The codec of a type loaded before.</summary>
    public TypeCodec CodecFor(uint oid) => _codecs.GetOrAdd(oid, static (key, catalog) => catalog.CodecFor(catalog.Find(key)), this);

    /// <summary>The codec of a type. A type modifier changes nothing: PostgreSQL has applied it to the value.</summary>
    public TypeCodec CodecFor(PgType type) => TypeTable.CodecFor(type, Find);

    /// <summary>
    /// The enum that a column of this type holds, through domains and arrays, or null: its labels order the column's collation.
    /// </summary>
    public PgType? EnumOf(uint oid)
    {
        var type = Find(oid);
        while (type.BaseType != 0 || type.ElementType != 0) type = Find(type.BaseType != 0 ? type.BaseType : type.ElementType);
        return type.Kind == 'e' ? type : null;
    }

    private static PgType Read(NpgsqlDataReader reader) => new(
        reader.GetFieldValue<uint>(0),
        reader.GetString(1),
        reader.GetString(2),
        reader.GetChar(3),
        reader.GetChar(4),
        reader.GetFieldValue<uint>(5),
        reader.GetFieldValue<uint>(6),
        reader.GetFieldValue<uint>(7),
        [.. reader.GetFieldValue<string[]>(8)],
        reader.GetBoolean(9));
}
