namespace DbSync.Postgres.Tests.Types;

/// <summary>The contract by example: a type, an SQL expression, the cell it becomes, and whether EF can read the value.</summary>
internal static class StorageContractCases
{
    private const int Megabyte = 1 << 20;

    public static TheoryData<string, string, string, bool> All { get; } = Build();

    private static TheoryData<string, string, string, bool> Build()
    {
        var all = new TheoryData<string, string, string, bool>();
        Numbers(all);
        Numerics(all);
        Texts(all);
        DatesAndTimes(all);
        Intervals(all);
        Others(all);
        Arrays(all);
        KeptAsText(all);
        return all;
    }

    private static void Numbers(TheoryData<string, string, string, bool> all)
    {
        all.Add("bool", "true", "integer 1", true);
        all.Add("bool", "false", "integer 0", true);
        all.Add("int2", "-32768", "integer -32768", true);
        all.Add("int2", "32767", "integer 32767", true);
        all.Add("int4", "-2147483648", "integer -2147483648", true);
        all.Add("int4", "0", "integer 0", true);
        all.Add("int8", "9223372036854775807", "integer 9223372036854775807", true);
        all.Add("int8", "-9223372036854775808", "integer -9223372036854775808", true);
        all.Add("posint", "7", "integer 7", true);
        all.Add("nested", "8", "integer 8", true);
        all.Add("oid", "4294967295", "integer 4294967295", true);
        all.Add("xid", "'4294967295'", "integer 4294967295", true);
        all.Add("cid", "'3'", "integer 3", true);
        all.Add("xid8", "'9223372036854775807'", "integer 9223372036854775807", true);
        all.Add("xid8", "'18446744073709551615'", "integer -1", false);
        all.Add("float4", "1.6666666", "real 1.6666666269302368", true);
        all.Add("float4", "'1e-45'", "real 1.401298464324817E-45", true);
        all.Add("float4", "'3.4028235e38'", "real 3.4028234663852886E+38", true);
        all.Add("float4", "16777216", "real 16777216", true);
        all.Add("float4", "'-0'", "real -0", true);
        all.Add("float4", "'-Infinity'", "real -Infinity", true);
        all.Add("float4", "'NaN'", "text NaN", false);
        all.Add("float8", "0.1", "real 0.1", true);
        all.Add("float8", "'-0'", "real -0", true);
        all.Add("float8", "'5e-324'", "real 5E-324", true);
        all.Add("float8", "'2.2250738585072011e-308'", "real 2.225073858507201E-308", true);
        all.Add("float8", "'1.7976931348623157e308'", "real 1.7976931348623157E+308", true);
        all.Add("float8", "9007199254740993", "real 9007199254740992", true);
        all.Add("float8", "1e15", "real 1000000000000000", true);
        all.Add("float8", "1e16", "real 10000000000000000", true);
        all.Add("float8", "'Infinity'", "real Infinity", true);
        all.Add("float8", "'NaN'", "text NaN", false);
    }

    private static void Numerics(TheoryData<string, string, string, bool> all)
    {
        all.Add("numeric", "0", "text 0", true);
        all.Add("numeric", "'0.000'", "text 0.000", true);
        all.Add("numeric", "'-0.00'", "text 0.00", true);
        all.Add("numeric", "'9.9900'", "text 9.9900", true);
        all.Add("numeric(18,4)", "1.5", "text 1.5000", true);
        all.Add("numeric", "'0.0001'", "text 0.0001", true);
        all.Add("numeric", "'0.00001'", "text 0.00001", true);
        all.Add("numeric", "'10000'", "text 10000", true);
        all.Add("numeric", "'100000000'", "text 100000000", true);
        all.Add("numeric", "'-12345.6789012'", "text -12345.6789012", true);
        all.Add("numeric", "1e20", "text 100000000000000000000", true);
        all.Add("numeric", "79228162514264337593543950335", "text 79228162514264337593543950335", true);
        all.Add("numeric", "-79228162514264337593543950336", "text -79228162514264337593543950336", false);
        all.Add("numeric", "7.9228162514264337593543950335", "text 7.9228162514264337593543950335", true);
        all.Add("numeric", "7.9228162514264337593543950336", "text 7.9228162514264337593543950336", false);
        all.Add("numeric", "0.79228162514264337593543950335", "text 0.79228162514264337593543950335", false);
        all.Add("numeric", "'0.0000000000000000000000000001'", "text 0.0000000000000000000000000001", true);
        all.Add("numeric", "'1.00000000000000000000000000000'", "text 1.00000000000000000000000000000", false);
        all.Add("numeric", "'1e-1000'", $"text 0.{new string('0', 999)}1", false);
        all.Add("numeric", "('1e131071')::numeric", $"text 1{new string('0', 131071)}", false);
        all.Add("numeric", "repeat('9', 131072)::numeric", $"text {new string('9', 131072)}", false);
        all.Add("numeric", "'NaN'", "text NaN", false);
        all.Add("numeric", "'Infinity'", "text Infinity", false);
        all.Add("numeric", "'-Infinity'", "text -Infinity", false);
        all.Add("money", "'1234567.8'", "text 1234567.80", true);
        all.Add("money", "'-0.05'", "text -0.05", true);
        all.Add("money", "'0'", "text 0.00", true);
        all.Add("money", "'-92233720368547758.08'", "text -92233720368547758.08", true);
    }

    private static void Texts(TheoryData<string, string, string, bool> all)
    {
        all.Add("text", "''", "text ", true);
        all.Add("text", "'NULL'", "text NULL", true);
        all.Add("text", @"E'a\tb\nc\\d''e\u00e9\U0001F600'", "text a\tb\nc\\d'e\u00e9\U0001F600", true);
        all.Add("text", $"repeat('é', {Megabyte})", $"text {new string('é', Megabyte)}", true);
        all.Add("varchar(3)", "'ab '", "text ab ", true);
        all.Add("char(5)", "'ab'", "text ab   ", true);
        all.Add("char(3)", "''", "text    ", true);
        all.Add("name", "'pg_class'", "text pg_class", true);
        all.Add("\"char\"", "'x'", "text x", true);
        all.Add("\"char\"", "''", "text ", false);
        all.Add("citext", "'MiXeD'", "text MiXeD", true);
        all.Add("mood", "'it''s \"fine\"'", "text it's \"fine\"", true);
        all.Add("app.\"Mood\"", "'a'", "text a", true);
        all.Add("json", @"'{ ""a"" : ""\u0000"", ""a"": 1.0 }'", @"text { ""a"" : ""\u0000"", ""a"": 1.0 }", true);
        all.Add("jsonb", @"'{ ""b"" : 1.50, ""a"": [null, ""é""] }'", @"text {""a"": [null, ""é""], ""b"": 1.50}", true);
        all.Add("jsonpath", "'$.a[*] ? (@ > 1)'", "text $.\"a\"[*]?(@ > 1)", true);
        all.Add("xml", "'<a>é</a>'", "text <a>é</a>", true);
        all.Add("ltree", "'top.science'", "text top.science", true);
        all.Add("lquery", "'top.*{2}'", "text top.*{2}", true);
    }

    private static void DatesAndTimes(TheoryData<string, string, string, bool> all)
    {
        all.Add("timestamptz", "'2024-02-29 13:14:15.120+05:30'", "text 2024-02-29 07:44:15.12", true);
        all.Add("timestamptz", "'2024-02-29 13:14:15+00'", "text 2024-02-29 13:14:15", true);
        all.Add("timestamptz", "'1999-12-31 23:59:59.999999+00'", "text 1999-12-31 23:59:59.999999", true);
        all.Add("timestamptz", "'1969-07-20 20:17:40.000001+00'", "text 1969-07-20 20:17:40.000001", true);
        all.Add("timestamptz", "'0001-01-01 00:00:00+00'", "text 0001-01-01 00:00:00", true);
        all.Add("timestamptz", "'9999-12-31 23:59:59.999999+00'", "text 9999-12-31 23:59:59.999999", true);
        all.Add("timestamptz", "'10000-01-01 00:00:00+00'", "text 10000-01-01 00:00:00+00", false);
        all.Add("timestamptz", "'294276-12-31 23:59:59.999999+00'", "text 294276-12-31 23:59:59.999999+00", false);
        all.Add("timestamptz", "'0044-03-15 12:00:00+00 BC'", "text 0044-03-15 12:00:00+00 BC", false);
        all.Add("timestamptz", "'infinity'", "text infinity", false);
        all.Add("timestamptz", "'-infinity'", "text -infinity", false);
        all.Add("timestamp", "'2024-02-29 13:14:15.100'", "text 2024-02-29 13:14:15.1", true);
        all.Add("timestamp(0)", "'2024-02-29 13:14:15.6'", "text 2024-02-29 13:14:16", true);
        all.Add("timestamp", "'0001-12-31 23:59:59 BC'", "text 0001-12-31 23:59:59 BC", false);
        all.Add("timestamp", "'4713-11-24 00:00:00 BC'", "text 4713-11-24 00:00:00 BC", false);
        all.Add("timestamp", "'infinity'", "text infinity", false);
        all.Add("date", "'2000-01-01'", "text 2000-01-01", true);
        all.Add("date", "'1900-03-01'", "text 1900-03-01", true);
        all.Add("date", "'0001-01-01'", "text 0001-01-01", true);
        all.Add("date", "'9999-12-31'", "text 9999-12-31", true);
        all.Add("date", "'10000-01-01'", "text 10000-01-01", false);
        all.Add("date", "'5874897-12-31'", "text 5874897-12-31", false);
        all.Add("date", "'4713-11-24 BC'", "text 4713-11-24 BC", false);
        all.Add("date", "'infinity'", "text infinity", false);
        all.Add("date", "'-infinity'", "text -infinity", false);
        all.Add("time", "'00:00'", "text 00:00:00", true);
        all.Add("time", "'04:05:06.5'", "text 04:05:06.5000000", true);
        all.Add("time", "'23:59:59.999999'", "text 23:59:59.9999990", true);
        all.Add("time", "'24:00:00'", "text 24:00:00", false);
        all.Add("timetz", "'12:30:00.5+05:30'", "text 12:30:00.5+05:30", true);
        all.Add("timetz", "'24:00:00-08'", "text 24:00:00-08", false);
        all.Add("timetz", "'12:00:00+01:02:03'", "text 12:00:00+01:02:03", false);
        all.Add("timetz", "'12:00:00-15:59'", "text 12:00:00-15:59", false);
    }

    private static void Intervals(TheoryData<string, string, string, bool> all)
    {
        all.Add("interval", "'0'", "integer 0", true);
        all.Add("interval", "'04:05:06.5'", "integer 147065000000", true);
        all.Add("interval", "'-00:00:00.000001'", "integer -10", true);
        all.Add("interval", "'1 day 24:00:00'", "integer 1728000000000", true);
        all.Add("interval", "'2 days'", "integer 1728000000000", true);
        all.Add("interval", "'-1 days +02:00:00'", "integer -792000000000", true);
        all.Add("interval", "'1 day -23:59:59.5'", "integer 5000000", true);
        all.Add("interval", "'10675199 days 02:48:05.477580'", "integer 9223372036854775800", true);
        all.Add("interval", "'10675199 days 02:48:05.477581'", "text 10675199 days 02:48:05.477581", false);
        all.Add("interval", "'1 mon'", "text 1 mon", false);
        all.Add("interval", "'-1 year -2 mons +3 days -04:05:06.78'", "text -1 years -2 mons +3 days -04:05:06.78", false);
        all.Add("interval", "'1 year -1 days +00:00:01'", "text 1 year -1 days +00:00:01", false);
        all.Add("interval", "'13 mons 1 day'", "text 1 year 1 mon 1 day", false);
        all.Add("interval", "'-1 mons'", "text -1 mons", false);
        all.Add("interval", "'2147483647 days'", "text 2147483647 days", false);
        all.Add("interval", "make_interval(secs => 9e11) * 10", "text 2500000000:00:00", false);
    }

    private static void Others(TheoryData<string, string, string, bool> all)
    {
        all.Add("uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "text A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", true);
        all.Add("bytea", @"'\x00ff10'", "blob 00FF10", true);
        all.Add("bytea", "''", "blob ", true);
        all.Add("bytea", $"decode(repeat('0a', {Megabyte}), 'hex')", $"blob {string.Concat(Enumerable.Repeat("0A", Megabyte))}", true);
        all.Add("inet", "'192.168.0.1'", "text 192.168.0.1", true);
        all.Add("inet", "'192.168.0.1/32'", "text 192.168.0.1", true);
        all.Add("inet", "'2001:db8::1'", "text 2001:db8::1", true);
        all.Add("inet", "'192.168.0.0/24'", "text 192.168.0.0/24", false);
        all.Add("inet", "'2001:db8::/32'", "text 2001:db8::/32", false);
        all.Add("cidr", "'10.0.0.0/8'", "text 10.0.0.0/8", true);
        all.Add("macaddr", "'08-00-2B-01-02-03'", "text 08:00:2b:01:02:03", true);
        all.Add("macaddr8", "'08:00:2b:01:02:03:04:05'", "text 08:00:2b:01:02:03:04:05", true);
        all.Add("bit(3)", "B'101'", "text 101", true);
        all.Add("varbit", "B''", "text ", true);
        all.Add("pg_lsn", "'16/B374D848'", "text 16/B374D848", true);
    }

    private static void Arrays(TheoryData<string, string, string, bool> all)
    {
        all.Add("int4[]", "'{}'", "text []", true);
        all.Add("int4[]", "'{1,NULL,-3}'", "text [1,null,-3]", true);
        all.Add("ints", "'{4}'", "text [4]", true);
        all.Add("posint[]", "'{1,2}'", "text [1,2]", true);
        all.Add("text[]", @"ARRAY['a""b\c', '', 'NULL', NULL, 'x,{y}']", @"text [""a\u0022b\\c"","""",""NULL"",null,""x,{y}""]", true);
        all.Add("text[]", "ARRAY['é<&>+😀', E'\\t']", @"text [""\u00E9\u003C\u0026\u003E\u002B\uD83D\uDE00"",""\t""]", true);
        all.Add("citext[]", "ARRAY['A']", @"text [""A""]", true);
        all.Add("mood[]", "ARRAY['ok', 'ünï']", @"text [""ok"",""\u00FCn\u00EF""]", true);
        all.Add("char(3)[]", "ARRAY['a']", @"text [""a  ""]", true);
        all.Add("bool[]", "'{t,f,NULL}'", "text [true,false,null]", true);
        all.Add("float8[]", "'{1e300,-0,0.1}'", "text [1E+300,-0,0.1]", true);
        all.Add("float4[]", "'{1.6666666,1e-45}'", "text [1.6666666,1E-45]", true);
        all.Add("float8[]", "'{1,NaN}'", "text {1,NaN}", false);
        all.Add("float8[]", "'{Infinity,NULL}'", "text {Infinity,NULL}", false);
        all.Add("numeric[]", "'{9.9900,1}'", @"text [""9.9900"",""1""]", true);
        all.Add("numeric[]", "'{NaN}'", "text {NaN}", false);
        all.Add("uuid[]", "'{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'", @"text [""A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11""]", true);
        all.Add("bytea[]", @"ARRAY['\x00ff'::bytea, '']", @"text [""00FF"",""""]", true);
        all.Add("timestamptz[]", "ARRAY['2024-02-29 13:14:15.5+00'::timestamptz]", @"text [""2024-02-29 13:14:15.5""]", true);
        all.Add("timestamptz[]", "'{infinity,2024-02-29}'", "text {infinity,\"2024-02-29 00:00:00+00\"}", false);
        all.Add("timestamp[]", "ARRAY['2024-02-29 13:14:15'::timestamp]", @"text [""2024-02-29 13:14:15""]", true);
        all.Add("date[]", "'{2024-02-29}'", @"text [""2024-02-29""]", true);
        all.Add("time[]", "'{04:05:06,04:05:06.5}'", @"text [""04:05:06.0000000"",""04:05:06.5000000""]", true);
        all.Add("interval[]", "'{1 day,-00:00:01}'", "text [864000000000,-10000000]", true);
        all.Add("interval[]", "'{1 mon}'", "text {\"1 mon\"}", false);
        all.Add("inet[]", "'{10.0.0.1/32}'", @"text [""10.0.0.1""]", true);
        all.Add("jsonb[]", @"ARRAY['{""a"":1}'::jsonb]", @"text [""{\u0022a\u0022: 1}""]", true);
        all.Add("money[]", "ARRAY['-1234.5'::money]", @"text [""-1234.50""]", true);
        all.Add("int4[]", "'{{1,2},{3,4}}'", "text {{1,2},{3,4}}", false);
        all.Add("int4[]", "'[0:1]={1,2}'", "text [0:1]={1,2}", false);
        all.Add("int4[]", $"array_fill(7, ARRAY[{Megabyte / 4}])", $"text [{string.Join(',', Enumerable.Repeat('7', Megabyte / 4))}]", true);
    }

    private static void KeptAsText(TheoryData<string, string, string, bool> all)
    {
        all.Add("int4range", "'[1,5]'", "text [1,6)", true);
        all.Add("floatrange", "'(,1.5]'", "text (,1.5]", true);
        all.Add("tstzrange", "'[2024-01-01,)'", "text [\"2024-01-01 00:00:00+00\",)", true);
        all.Add("int4multirange", "'{[1,2),[5,9)}'", "text {[1,2),[5,9)}", true);
        all.Add("pair", "ROW(1, NULL)", "text (1,)", true);
        all.Add("pair", "ROW(NULL, NULL)", "text (,)", true);
        all.Add("pair[]", "ARRAY[ROW(1, 'a b')::pair]", "text {\"(1,\\\"a b\\\")\"}", true);
        all.Add("point", "'(1,-0.5)'", "text (1,-0.5)", true);
        all.Add("box[]", "'{(1,1),(0,0);(2,2),(0,0)}'", "text {(1,1),(0,0);(2,2),(0,0)}", true);
        all.Add("polygon", "'((0,0),(1,1),(1,0))'", "text ((0,0),(1,1),(1,0))", true);
        all.Add("tsvector", "'a:1 b:2A'", "text 'a':1 'b':2A", true);
        all.Add("tsquery", "'a & b'", "text 'a' & 'b'", true);
        all.Add("hstore", "'a=>1, b=>NULL'", "text \"a\"=>\"1\", \"b\"=>NULL", true);
        all.Add("regclass", "'pg_class'", "text pg_class", true);
        all.Add("tid", "'(0,1)'", "text (0,1)", true);
        all.Add("int2vector", "'1 2 3'", "text 1 2 3", true);
        all.Add("txid_snapshot", "'10:20:10,14'", "text 10:20:10,14", true);
    }
}
