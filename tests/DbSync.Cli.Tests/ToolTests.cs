using DbSync.Testing;

namespace DbSync.Cli.Tests;

public sealed class ToolTests
{
    public static TheoryData<string> Commands => ["doctor", "init", "run", "status", "verify", "sql", "queries", "backup", "restore", "shards", "uninstall", "explain"];

    [Theory]
    [MemberData(nameof(Commands))]
    public async Task Help_of_every_command_ends_with_an_example(string command)
    {
        var run = await ToolRun.OfAsync(command, "--help");

        run.ExitCode.ShouldBe(0);
        run.Output.ShouldContain("Usage:");
        run.Output.TrimEnd().Split('\n')[^2].ShouldBe("Example:");
        run.Output.TrimEnd().Split('\n')[^1].ShouldContain($"dbsync {command}");
    }

    [Theory]
    [InlineData("no-such-command")]
    [InlineData("init", "--no-such-option")]
    [InlineData("status", "--max-lag", "soon")]
    [InlineData("status", "--watch", "--json")]
    [InlineData("sql")]
    public async Task What_can_not_be_parsed_exits_2(params string[] arguments)
    {
        var run = await ToolRun.OfAsync(arguments);

        run.ExitCode.ShouldBe(ExitCode.Usage);
        run.Error.ShouldContain("--help");
    }

    [Fact]
    public async Task A_parse_error_with_json_is_one_object_on_stdout()
    {
        var run = await ToolRun.OfAsync("status", "--nonsense", "--json");

        run.ExitCode.ShouldBe(ExitCode.Usage);
        run.Json.GetProperty("error").GetProperty("code").GetString().ShouldBe(ErrorCodes.InvalidOption);
    }

    [Theory]
    [InlineData("doctor")]
    [InlineData("init")]
    [InlineData("uninstall", "--yes")]
    public async Task Without_a_primary_the_message_says_where_to_name_it(params string[] arguments)
    {
        var run = await ToolRun.OfAsync(arguments);

        run.ExitCode.ShouldBe(ExitCode.Usage);
        run.Error.ShouldContain("DBS1001");
        run.Error.ShouldContain("DBSYNC_PRIMARY");
    }

    [Theory]
    [InlineData("status")]
    [InlineData("sql", "SELECT 1")]
    [InlineData("run", "--primary", "Host=127.0.0.1")]
    [InlineData("verify", "--primary", "Host=127.0.0.1")]
    public async Task Without_a_node_the_message_says_init(params string[] arguments)
    {
        var run = await ToolRun.OfAsync([.. arguments, "--json"]);

        run.ExitCode.ShouldBe(ExitCode.Preflight);
        var error = run.Json.GetProperty("error");
        error.GetProperty("code").GetString().ShouldBe(ErrorCodes.NotInitialised);
        error.GetProperty("message").GetString().ShouldBe("The data directory holds no node.");
        error.GetProperty("fix").GetString()!.ShouldContain("dbsync init");
    }

    [Fact]
    public async Task Recorded_queries_are_listed_with_the_reason_and_may_fail_a_build()
    {
        using var directory = new TemporaryDirectory();
        var file = directory["queries.jsonl"];
        QueryRecord.Append(file, new QueryRecord("DbSet<Book>().AsNoTracking()", true, "Replica", ""));
        QueryRecord.Append(file, new QueryRecord("DbSet<Book>()", false, "Tracking", "it tracks Book"));
        (await ToolRun.OfAsync("queries", file, "--fail")).ExitCode.ShouldBe(ExitCode.Ok);
        for (var process = 0; process < 2; process++) QueryRecord.Append(file, new QueryRecord("DbSet<Book>().Select(Round)", false, "NotAlike", "Math.Round() is not known to be alike"));

        var run = await ToolRun.OfAsync("queries", file, "--fail");
        run.ExitCode.ShouldBe(ExitCode.Different);
        run.Output.ShouldContain("Math.Round() is not known to be alike");
        run.Output.ShouldEndWith($"1 of 3 query shapes are routed.{Environment.NewLine}");
        (await ToolRun.OfAsync("queries", file, "--json")).Json.GetProperty("notRouted").GetArrayLength().ShouldBe(2);
        (await ToolRun.OfAsync("queries", directory["nothing"])).ExitCode.ShouldBe(ExitCode.Usage);
    }

    [Fact]
    public async Task An_unreachable_primary_exits_4_and_its_password_stays_secret()
    {
        var run = await ToolRun.OfAsync("init", "--primary", "Host=127.0.0.1;Port=1;Username=app;Password=hunter2");

        run.ExitCode.ShouldBe(ExitCode.Unreachable);
        run.Error.ShouldContain("DBS2001");
        (run.Output + run.Error).ShouldNotContain("hunter2");
    }

    [Fact]
    public async Task Doctor_reports_what_is_on_this_machine_when_the_primary_does_not_answer()
    {
        var run = await ToolRun.OfAsync("doctor", "--primary", "Host=127.0.0.1;Port=1;Username=app;Password=hunter2", "--json");

        run.ExitCode.ShouldBe(ExitCode.Unreachable);
        run.Json.GetProperty("ok").GetBoolean().ShouldBeFalse();
        var checks = run.Json.GetProperty("checks").EnumerateArray().ToDictionary(c => c.GetProperty("code").GetString()!, c => c.GetProperty("state").GetString());
        checks[CheckCodes.Reachable].ShouldBe("fail");
        checks[CheckCodes.SqliteVersion].ShouldBe("ok");
        (run.Output + run.Error).ShouldNotContain("hunter2");
    }

    [Fact]
    public async Task Uninstall_asks_and_where_nobody_can_answer_wants_yes()
    {
        var run = await ToolRun.OfAsync("uninstall", "--purge-data", "--primary", "Host=127.0.0.1;Port=1");

        run.ExitCode.ShouldBe(ExitCode.Unreachable); // it looks before it asks
    }

    [Theory]
    [InlineData("DBS2003", "# DBS2003: ")]
    [InlineData("dbs1001", "# DBS1001: ")]
    [InlineData("state", "# state: ")]
    [InlineData("stale", "# stale")]
    [InlineData("lagMs", "# lagMs")]
    [InlineData("failpoints", "Armed by DBSYNC_FAILPOINT")]
    public async Task Explain_prints_the_page(string topic, string beginning)
    {
        var run = await ToolRun.OfAsync("explain", topic);

        run.ExitCode.ShouldBe(0);
        run.Output.ShouldStartWith(beginning);
    }

    [Fact]
    public async Task Explain_lists_every_failpoint_as_json()
    {
        var run = await ToolRun.OfAsync("explain", "failpoints", "--json");

        run.Json.GetProperty("failpoints").EnumerateArray().Select(f => f.GetProperty("name").GetString()).ShouldBe(Failpoint.All.Select(f => f.Name));
    }

    [Fact]
    public async Task Explain_of_what_is_unknown_exits_2() => (await ToolRun.OfAsync("explain", "DBS0000")).ExitCode.ShouldBe(ExitCode.Usage);
}
