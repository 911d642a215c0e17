using DbSync.Testing;

namespace DbSync.EndToEnd.Tests.Fixtures;

public sealed class TemporaryDirectoryTests
{
    [Fact]
    public void Is_readable_by_nobody_else_and_gone_when_disposed()
    {
        var directory = new TemporaryDirectory();
        File.WriteAllText(directory["file"], "content");

        File.GetUnixFileMode(directory.Path).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        directory.Dispose();

        Directory.Exists(directory.Path).ShouldBeFalse();
    }

    [Fact]
    public void Two_are_never_the_same()
    {
        using var one = new TemporaryDirectory();
        using var other = new TemporaryDirectory();

        one.Path.ShouldNotBe(other.Path);
    }
}
