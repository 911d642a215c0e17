using System.Text;
using DbSync.Postgres.Types;

namespace DbSync.Postgres.Tests.Types;

public class AllocationTests
{
    [Theory]
    [InlineData("bool", "t", "01")]
    [InlineData("int4", "-2147483648", "80000000")]
    [InlineData("int8", "9223372036854775807", "7FFFFFFFFFFFFFFF")]
    [InlineData("float4", "1.6666666", "3FD55555")]
    [InlineData("float8", "-1.6666666666666667e-300", "81B1DB9A9C60A4EF")]
    [InlineData("numeric", "-12345.6789", "0003000140000004000109291A85")]
    [InlineData("text", "some text", "736F6D6520746578")]
    [InlineData("bpchar", "padded   ", "7061646465642020")]
    [InlineData("jsonb", "{}", "017B7D")]
    [InlineData("uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "A0EEBC999C0B4EF8BB6D6BB9BD380A11")]
    [InlineData("bytea", "\\x00ff10", "00FF10")]
    [InlineData("timestamptz", "2024-02-29 13:14:15.12+00", "0002B5A3C1D2E3F4")]
    [InlineData("date", "2024-02-29", "00002275")]
    [InlineData("time", "04:05:06.5", "000000036C8CE7A0")]
    [InlineData("interval", "1 day 04:05:06.5", "000000036C8CE7A00000000100000000")]
    [InlineData("int4[]", "{1,NULL,3}", "")]
    [InlineData("text[]", "{\"a b\",\"c\\\"d\"}", "")]
    public void A_value_of_a_hot_type_allocates_nothing(string type, string text, string binary)
    {
        var codec = type.EndsWith("[]", StringComparison.Ordinal) ? TypeTable.ArrayOf(TypeTable.System[type[..^2]]) : TypeTable.System[type];
        var textWire = Encoding.UTF8.GetBytes(text);
        var binaryWire = Convert.FromHexString(binary);
        var buffer = new ChangeBuffer(1 << 10);
        Decode(1);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Decode(1000);
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(0);

        void Decode(int times)
        {
            for (var i = 0; i < times; i++)
            {
                buffer.Clear();
                codec.DecodeText(textWire, buffer);
                if (codec.HasBinary) codec.DecodeBinary(binaryWire, buffer);
            }
        }
    }
}
