using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace DbSync.Hosting.Tests.Options;

public sealed class DbSyncOptionsTests
{
    private const string Primary = "Host=localhost;Database=shop;Username=app";

    [Fact]
    public void The_section_of_the_configuration_is_bound_and_code_wins()
    {
        var settings = Bound(
            b => b.UseReplica("shop"),
            ("DbSync:Primary", Primary), ("DbSync:DataDirectory", "/data"), ("DbSync:Replica", "other"), ("DbSync:AllowSetup", "true"), ("DbSync:Tables:0", "public.orders"),
            ("DbSync:LagMax", "00:00:03"), ("DbSync:Shards", "a:1,b:2"), ("DbSync:ShardKeys:public.orders", "region+id"));
        settings.Primary.ShouldBe(Primary);
        settings.DataDirectory.ShouldBe("/data");
        settings.Replica.ShouldBe("shop");
        settings.Tables.ShouldBe(["public.orders"]);
        settings.LagMax.ShouldBe(TimeSpan.FromSeconds(3));
        settings.Shards.ShouldBe("a:1,b:2");
        settings.ShardKeys.ShouldHaveSingleItem().ShouldBe(new("public.orders", "region+id"));
    }

    [Theory]
    [InlineData("DataDirectory", "")]
    [InlineData("Primary", "")]
    [InlineData("Primary", "nonsense")]
    [InlineData("Replica", "Main")]
    [InlineData("Node", "a-b")]
    [InlineData("Tables:0", "orders")]
    [InlineData("Shards", "4")]
    [InlineData("ShardKeys:orders", "id")]
    [InlineData("RetryDelay", "00:00:00")]
    [InlineData("RetryDelayMax", "00:00:00.5")]
    [InlineData("TakeOverInterval", "-00:00:01")]
    [InlineData("LagMax", "00:00:00")]
    [InlineData("SpillBytesMax", "0")]
    [InlineData("StallAfter", "00:00:01")]
    public void A_wrong_value_is_refused_by_its_key_without_showing_it(string key, string value)
    {
        var failure = Should.Throw<OptionsValidationException>(() => Bound(null, ("DbSync:Primary", Primary), ("DbSync:DataDirectory", "/data"), ($"DbSync:{key}", value)));
        failure.Failures.ShouldHaveSingleItem().ShouldStartWith($"DbSync:{key.Split(':')[0]} ");
        if (value.Length > 3) failure.Message.ShouldNotContain($"'{value}'");
    }

    [Theory]
    [InlineData("Shards", "a:x")]
    [InlineData("Shards", "a-b")]
    [InlineData("ShardKeys:orders", "")]
    public void A_wrong_sharding_is_refused_by_its_key(string key, string value) => Should.Throw<OptionsValidationException>(() => Bound(
        b => b.AllowSetup(), ("DbSync:Primary", Primary), ("DbSync:DataDirectory", "/data"), ($"DbSync:{key}", value))).Failures.ShouldHaveSingleItem().ShouldStartWith($"DbSync:{key.Split(':')[0]} takes");

    [Fact]
    public void Every_broken_rule_has_a_message_of_its_own() =>
        Should.Throw<OptionsValidationException>(() => Bound(null, ("DbSync:LagMax", "00:00:00"), ("DbSync:Node", "?"))).Failures.Count().ShouldBe(4);

    [Fact]
    public void Without_an_engine_no_primary_is_needed() => Bound(b => b.WithoutEngine().UseDataDirectory("/data")).Primary.ShouldBeNull();

    [Fact]
    public async Task Wrong_options_keep_the_application_from_starting()
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Services.AddDbSync();
        using var host = builder.Build();
        await Should.ThrowAsync<OptionsValidationException>(() => host.StartAsync(TestContext.Current.CancellationToken));
    }

    private static DbSyncOptions Bound(Action<DbSyncBuilder>? configure, params (string Key, string? Value)[] settings)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(settings.GroupBy(s => s.Key, StringComparer.Ordinal).Select(g => KeyValuePair.Create(g.Key, g.Last().Value))).Build();
        using var services = new ServiceCollection().AddSingleton<IConfiguration>(configuration).AddDbSync(configure).BuildServiceProvider();
        return services.GetRequiredService<IOptions<DbSyncOptions>>().Value;
    }
}
