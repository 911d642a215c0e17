using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace DbSync.Hosting;

/// <summary>
/// Runs the node for as long as the application runs. Nothing that happens here ends the application: what fails is logged with its code and
/// tried again, and meanwhile the primary answers.
/// </summary>
internal sealed partial class EngineService(IOptions<DbSyncOptions> options, TimeProvider time, ILoggerFactory loggers) : BackgroundService
{
    private readonly ILogger _logger = loggers.CreateLogger<EngineService>();

    /// <summary>Stops: what has arrived is written and acknowledged, within the time that the host gives.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        using var activity = Telemetry.Activities.StartActivity("dbsync.drain");
        await base.StopAsync(cancellationToken);
        if (ExecuteTask is { IsCompleted: false }) LogNotDrained(); // the next start goes on from what is on disk
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var settings = options.Value;
        if (!settings.RunEngine) return;
        var place = new NodePlace(settings.Primary!, Path.GetFullPath(settings.DataDirectory!), settings.Replica, settings.Node, settings.SpillBytesMax);
        var delay = settings.RetryDelay;
        while (!stoppingToken.IsCancellationRequested)
        {
            var started = time.GetTimestamp();
            try
            {
                await RunOnceAsync(place, settings, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (DbSyncException exception) when (ErrorCodes.IsPassing(exception.Code) || exception.Code == ErrorCodes.SlotInUse)
            {
                LogWaiting(exception.Message);
            }
            catch (DbSyncException exception)
            {
                LogFailed(exception.Code, exception.Message);
            }
            catch (Exception exception) when (exception is not OutOfMemoryException)
            {
                LogUnexpected(ErrorCodes.Unexpected, exception.GetType(), exception.StackTrace); // without its message, which could hold a value
            }
            if (stoppingToken.IsCancellationRequested) return;
            if (time.GetElapsedTime(started) > settings.RetryDelayMax) delay = settings.RetryDelay; // it ran well for a while
            await Task.Delay(delay, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            delay = delay * 2 < settings.RetryDelayMax ? delay * 2 : settings.RetryDelayMax;
        }
    }

    private async Task RunOnceAsync(NodePlace place, DbSyncOptions settings, CancellationToken stoppingToken)
    {
        DataDirectory.Create(place.DataDirectory);
        var directory = await LockAsync(place, settings, stoppingToken);
        try
        {
            if (settings.AllowSetup) await new EngineSetup(_logger).RunAsync(place, settings, stoppingToken);
            NodeFile.Load(place.DataDirectory);
        }
        catch
        {
            directory.Dispose();
            throw;
        }
        await using var host = NodeHost.Open(place, directory, new HostOptions(), loggers); // owns the directory from here on
        LogRunning(host.Keeper.Identity.Node, host.Keeper.Identity.Replica);
        await host.Keeper.RunAsync(stoppingToken);
    }

    /// <summary>The directory, once no other process has it: until then this one only reads.</summary>
    private async Task<DataDirectory> LockAsync(NodePlace place, DbSyncOptions settings, CancellationToken stoppingToken)
    {
        for (var said = false; ; said = true)
        {
            if (DataDirectory.TryLock(place.DataDirectory) is { } free) return free;
            if (!said) LogStandby();
            await Task.Delay(settings.TakeOverInterval, time, stoppingToken);
        }
    }

    [LoggerMessage(1201, LogLevel.Information, "Node {Node} of replica {Replica} runs in this process")]
    private partial void LogRunning(string node, string replica);

    [LoggerMessage(1202, LogLevel.Information, "Another process keeps this replica; this one reads it, and takes over when that one ends")]
    private partial void LogStandby();

    [LoggerMessage(1203, LogLevel.Warning, "The replica waits: {Reason} The primary answers meanwhile")]
    private partial void LogWaiting(string reason);

    [LoggerMessage(1204, LogLevel.Error, "The replica is not kept up to date ({Code}): {Reason} It is tried again; the primary answers meanwhile")]
    private partial void LogFailed(string code, string reason);

    [LoggerMessage(1205, LogLevel.Error, "The replica is not kept up to date ({Code}): {Type} {Trace}. It is tried again; the primary answers meanwhile. Please report this")]
    private partial void LogUnexpected(string code, Type type, string? trace);

    [LoggerMessage(1206, LogLevel.Warning, "The host's shutdown time was over before everything that had arrived was written; the next start goes on from what is on disk")]
    private partial void LogNotDrained();
}
