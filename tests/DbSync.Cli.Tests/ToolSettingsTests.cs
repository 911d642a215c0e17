using DbSync.Testing;

namespace DbSync.Cli.Tests;

public sealed class ToolSettingsTests
{
    [Fact]
    public void A_flag_wins_over_the_environment_and_that_over_the_file()
    {
        using var directory = new TemporaryDirectory();
        File.WriteAllText(directory[ToolSettings.FileName], """{ "primary": "Host=file", "data": "file-data", "replica": "file" }""");
        var environment = new Dictionary<string, string> { ["DBSYNC_PRIMARY"] = "Host=environment", ["DBSYNC_REPLICA"] = "environment" };

        var settings = Resolve(directory, environment, "status", "--replica", "flag");

        settings.Replica.ShouldBe("flag");
        settings.Primary.ShouldBe("Host=environment");
        settings.Data.ShouldEndWith("file-data");
    }

    [Fact]
    public void Nothing_given_leaves_the_defaults()
    {
        using var directory = new TemporaryDirectory();

        var settings = Resolve(directory, [], "status");

        settings.Replica.ShouldBe("main");
        settings.Data.ShouldEndWith("dbsync-data");
        settings.Node.ShouldBeNull();
        settings.Json.ShouldBeFalse();
        Should.Throw<DbSyncException>(() => settings.Primary).Code.ShouldBe(ErrorCodes.InvalidOption);
    }

    [Fact]
    public void A_file_that_is_no_object_of_texts_is_refused()
    {
        using var directory = new TemporaryDirectory();
        File.WriteAllText(directory[ToolSettings.FileName], "[1]");

        Should.Throw<DbSyncException>(() => Resolve(directory, [], "status")).Code.ShouldBe(ErrorCodes.InvalidOption);
    }

    private static ToolSettings Resolve(TemporaryDirectory directory, Dictionary<string, string> environment, params string[] arguments) =>
        new(Tool.CreateRoot(TextWriter.Null, TextWriter.Null).Parse(arguments), environment.GetValueOrDefault, directory.Path);
}
