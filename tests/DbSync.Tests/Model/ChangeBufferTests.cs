using CsCheck;
using DbSync.Testing;

namespace DbSync.Tests.Model;

public sealed class ChangeBufferTests
{
    internal static readonly Gen<object?> AnyValue = Gen.OneOf<object?>(
        Gen.Const((object?)null),
        Gen.Const((object?)TestTable.Unchanged),
        Gen.Long.Select(v => (object?)v),
        Gen.Double.Select(v => (object?)v),
        Gen.String.Select(v => (object?)System.Text.Encoding.UTF8.GetString(System.Text.Encoding.UTF8.GetBytes(v))),
        Gen.Byte.Array[0, 300].Select(v => (object?)v));

    [Fact]
    public void Any_row_is_read_as_it_was_written() =>
        AnyValue.List[0, 40].Sample(values => ShouldBe(TestTable.Values(TestTable.Row([.. values])), values));

    [Fact]
    public void The_size_of_a_cell_is_what_reading_it_takes() =>
        AnyValue.Array[1, 20].Sample(values =>
        {
            ReadOnlySpan<byte> row = TestTable.Row(values);
            RowCells.SizeOf(row, values.Length).ShouldBe(row.Length);
            foreach (var value in values)
            {
                var size = Cell.SizeOf(row);
                size.ShouldBe(TestTable.Row(value).Length);
                var before = row.Length;
                Cell.Read(ref row);
                (before - row.Length).ShouldBe(size);
            }
        });

    [Fact]
    public void A_key_is_taken_out_in_key_order() =>
        AnyValue.Array[5].Sample(values =>
        {
            var table = TestTable.Create("t", columns: 5) with { Key = [4, 0, 2] };
            var key = new ChangeBuffer(8);
            RowCells.AppendKey(table, TestTable.Row(values), key);
            ShouldBe(TestTable.Values(key.Written), [values[4], values[0], values[2]]);
        });

    [Fact]
    public void A_cell_of_unknown_length_keeps_only_what_was_used()
    {
        var buffer = new ChangeBuffer(4);
        "hello"u8.CopyTo(buffer.BeginCell(CellKind.Text, 1000));
        buffer.EndCell(5);
        buffer.WriteInteger(7);
        TestTable.Values(buffer.Written).ShouldBe(["hello", 7L]);
    }

    [Fact]
    public void What_was_written_stays_when_the_buffer_grows_and_when_it_is_rewound()
    {
        var buffer = new ChangeBuffer(1);
        for (var i = 0; i < 10_000; i++) buffer.WriteInteger(i);
        var length = buffer.Length;
        buffer.WriteText(new byte[100_000]);
        buffer.Rewind(length);
        TestTable.Values(buffer.Written).ShouldBe(Enumerable.Range(0, 10_000).Select(i => (object?)(long)i));
    }

    [Fact]
    public void Cells_of_one_kind_compare_as_their_values_do() =>
        Gen.Select(Gen.Long, Gen.Long, Gen.Byte.Array[0, 5], Gen.Byte.Array[0, 5]).Sample((a, b, left, right) =>
        {
            Math.Sign(Compare(a, b)).ShouldBe(a.CompareTo(b));
            Math.Sign(Compare(left, right)).ShouldBe(Math.Sign(left.AsSpan().SequenceCompareTo(right)));
        });

    [Fact]
    public void Damaged_cells_are_told_apart_from_values() =>
        Should.Throw<InvalidOperationException>(() => TestTable.Values([(byte)99, 0, 0]));

    private static int Compare(object left, object right)
    {
        ReadOnlySpan<byte> a = TestTable.Row(left), b = TestTable.Row(right);
        return Cell.Compare(Cell.Read(ref a), Cell.Read(ref b));
    }

    private static void ShouldBe(List<object?> actual, IReadOnlyList<object?> expected)
    {
        actual.Count.ShouldBe(expected.Count);
        for (var i = 0; i < actual.Count; i++)
        {
            if (actual[i] is byte[] bytes) bytes.ShouldBe((byte[])expected[i]!);
            else actual[i].ShouldBe(expected[i]);
        }
    }
}
