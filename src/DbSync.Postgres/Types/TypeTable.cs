using System.Collections.Frozen;
using DbSync.Postgres.Types.Codecs;

namespace DbSync.Postgres.Types;

/// <summary>The storage contract: what each PostgreSQL type is in a shard, and what EF Core's SQLite provider reads it as.</summary>
internal static class TypeTable
{
    private const string Range = "EF Core's SQLite provider has no range type.";
    private const string Geometric = "EF Core's SQLite provider has no geometric type.";
    private const string Search = "EF Core's SQLite provider has no full-text type.";
    private const string Identifier = "The value is an object of the primary's catalog.";
    private const string Composite = "EF Core's SQLite provider has no composite type.";
    private const string Dictionary = "EF Core's SQLite provider has no hstore.";
    private const string Nested = "EF Core's SQLite provider has no arrays of arrays.";
    private const string Unknown = "DbSync does not know how EF Core reads this type.";

    /// <summary>Types of <c>pg_catalog</c>, by name.</summary>
    public static readonly FrozenDictionary<string, TypeCodec> System = new Dictionary<string, TypeCodec>(StringComparer.Ordinal)
    {
        // Numbers.        SQLite    exact form
        ["bool"] = new BooleanCodec(),                       // INTEGER   0 or 1
        ["int2"] = new IntegerCodec("int2", 2),              // INTEGER
        ["int4"] = new IntegerCodec("int4", 4),              // INTEGER
        ["int8"] = new IntegerCodec("int8", 8),              // INTEGER
        ["oid"] = new UnsignedCodec("oid", 4),               // INTEGER
        ["xid"] = new UnsignedCodec("xid", 4),               // INTEGER
        ["cid"] = new UnsignedCodec("cid", 4),               // INTEGER
        ["xid8"] = new UnsignedCodec("xid8", 8),             // INTEGER   two's complement, as EF binds a ulong
        ["float4"] = new Float4Codec(),                      // REAL      widened; infinities are stored, NaN is kept as text
        ["float8"] = new Float8Codec(),                      // REAL      the same
        ["numeric"] = new NumericCodec(),                    // TEXT      EF_DECIMAL: PostgreSQL's text with its scale
        ["money"] = new MoneyCodec(),                        // TEXT      EF_DECIMAL: the number, two decimals

        // Text.
        ["text"] = new TextCodec(),                          // TEXT      as is
        ["varchar"] = new TextCodec(),                       // TEXT      as is
        ["name"] = new TextCodec(),                          // TEXT      as is
        ["bpchar"] = new BlankPaddedCodec(),                 // TEXT      RTRIM: as is, padded
        ["char"] = new SingleCharCodec(),                    // TEXT      one character
        ["json"] = new TextCodec(),                          // TEXT      as is
        ["jsonb"] = new JsonbCodec(),                        // TEXT      PostgreSQL's text
        ["jsonpath"] = new OutputTextCodec(),                // TEXT      PostgreSQL's text
        ["xml"] = new OutputTextCodec(),                     // TEXT      PostgreSQL's text

        // Dates and times.
        ["timestamptz"] = new TimestampCodec(hasZone: true), // TEXT      yyyy-MM-dd HH:mm:ss[.FFFFFF], UTC, no offset
        ["timestamp"] = new TimestampCodec(hasZone: false),  // TEXT      the same
        ["date"] = new DateCodec(),                          // TEXT      yyyy-MM-dd
        ["time"] = new TimeCodec(),                          // TEXT      HH:mm:ss or HH:mm:ss.fffffff
        ["timetz"] = new TimeWithZoneCodec(),                // TEXT      PostgreSQL's text, HH:mm:ss[.FFFFFF]+hh[:mm]
        ["interval"] = new IntervalCodec(),                  // INTEGER   .NET ticks

        // Bytes, identifiers, addresses, bits.
        ["uuid"] = new UuidCodec(),                          // TEXT      upper case, hyphens
        ["bytea"] = new ByteaCodec(),                        // BLOB
        ["inet"] = new InetCodec(),                          // TEXT      host without /32 or /128
        ["cidr"] = new OutputTextCodec(),                    // TEXT      PostgreSQL's text, as all below
        ["macaddr"] = new OutputTextCodec(),
        ["macaddr8"] = new OutputTextCodec(),
        ["bit"] = new OutputTextCodec(),
        ["varbit"] = new OutputTextCodec(),
        ["pg_lsn"] = new OutputTextCodec(),

        // Nothing EF could read: PostgreSQL's text, and the column is *primary only*.
        ["point"] = new OutputTextCodec(Geometric),
        ["line"] = new OutputTextCodec(Geometric),
        ["lseg"] = new OutputTextCodec(Geometric),
        ["box"] = new OutputTextCodec(Geometric),
        ["path"] = new OutputTextCodec(Geometric),
        ["polygon"] = new OutputTextCodec(Geometric),
        ["circle"] = new OutputTextCodec(Geometric),
        ["tsvector"] = new OutputTextCodec(Search),
        ["tsquery"] = new OutputTextCodec(Search),
        ["tid"] = new OutputTextCodec(Identifier),
        ["regclass"] = new OutputTextCodec(Identifier),
        ["regcollation"] = new OutputTextCodec(Identifier),
        ["regconfig"] = new OutputTextCodec(Identifier),
        ["regdictionary"] = new OutputTextCodec(Identifier),
        ["regnamespace"] = new OutputTextCodec(Identifier),
        ["regoper"] = new OutputTextCodec(Identifier),
        ["regoperator"] = new OutputTextCodec(Identifier),
        ["regproc"] = new OutputTextCodec(Identifier),
        ["regprocedure"] = new OutputTextCodec(Identifier),
        ["regrole"] = new OutputTextCodec(Identifier),
        ["regtype"] = new OutputTextCodec(Identifier),
    }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>Types of extensions, by name: an extension may be installed into any schema.</summary>
    public static readonly FrozenDictionary<string, TypeCodec> Extensions = new Dictionary<string, TypeCodec>(StringComparer.Ordinal)
    {
        ["citext"] = new TextCodec(CollationNames.CaseInsensitive), // TEXT  PG_CITEXT: as is
        ["ltree"] = new OutputTextCodec(),                          // TEXT  PostgreSQL's text
        ["lquery"] = new OutputTextCodec(),
        ["ltxtquery"] = new OutputTextCodec(),
        ["hstore"] = new OutputTextCodec(Dictionary),
    }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>The codec of a type, with its domain's base and its array's element found through <paramref name="find"/>.</summary>
    public static TypeCodec CodecFor(PgType type, Func<uint, PgType> find) => type.Kind switch
    {
        'd' => CodecFor(find(type.BaseType), find),
        'e' => new TextCodec(type.EnumCollation),                   // TEXT  PG_ENUM_<type>: the label
        'c' => new OutputTextCodec(Composite),
        'r' or 'm' => new OutputTextCodec(Range),
        _ when type.ElementType != 0 => ArrayOf(CodecFor(find(type.ElementType), find)), // TEXT  JSON, as EF's primitive collections
        _ when type.Schema == PgType.SystemSchema => System.GetValueOrDefault(type.Name) ?? new OutputTextCodec(Unknown),
        _ => Extensions.GetValueOrDefault(type.Name) ?? new OutputTextCodec(Unknown),
    };

    /// <summary>The codec of an array, given its element's.</summary>
    public static TypeCodec ArrayOf(TypeCodec element) => element switch
    {
        { PrimaryOnlyReason: { } reason } => new OutputTextCodec(reason),
        ArrayCodec => new OutputTextCodec(Nested), // an array of a domain over an array
        _ => new ArrayCodec(element),
    };
}
