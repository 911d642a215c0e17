using System.Collections.Concurrent;
using System.Data.Common;
using DbSync.EntityFrameworkCore.Replicas;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace DbSync.EntityFrameworkCore.Consistency;

/// <summary>One way to the primary: a connection string, so one role in one database. Shared by all contexts that use it.</summary>
internal sealed class PrimaryLink
{
    private static readonly ConcurrentDictionary<(string ConnectionString, bool IgnoreRowSecurity), PrimaryLink> Links = new();
    private const string NoPrivilege = "42501";
    private const string NoFunction = "42883";
    private const string NoSchema = "3F000";
    private const int CommandTimeoutMaxSeconds = 30;

    private readonly bool _ignoreRowSecurity;
    private volatile Seen? _seen;
    private bool _beatRefused;

    private PrimaryLink(string connectionString, bool ignoreRowSecurity) =>
        (KeepsSettings, _ignoreRowSecurity) = (new NpgsqlConnectionStringBuilder(connectionString).NoResetOnClose, ignoreRowSecurity);

    /// <summary>True when a pooled connection keeps what was set on it (a schema, a role), so that nobody knows what the next query finds set.</summary>
    public bool KeepsSettings { get; }

    /// <summary>What is known of the primary; null before it was asked.</summary>
    public PrimaryFacts? Facts { get; private set; }

    public static PrimaryLink Of(string connectionString, bool ignoreRowSecurity) =>
        Links.GetOrAdd((connectionString, ignoreRowSecurity), k => new PrimaryLink(k.ConnectionString, k.IgnoreRowSecurity));

    /// <summary>The facts, asked for again when they are older than <see cref="DbSyncSettings.FactsAgeMax"/>; null when the primary can't be asked.</summary>
    public async ValueTask<PrimaryFacts?> GetFactsAsync(
        IRelationalConnection connection, DbSyncSettings settings, string publication, bool async, CancellationToken cancellationToken)
    {
        if (Facts is { } known && settings.Time.GetElapsedTime(known.ReadAt) < settings.FactsAgeMax) return known;
        await TryReadAsync(connection, settings, publication, async, cancellationToken).ConfigureAwait(false);
        return Facts; // when it can't be asked, what was known last still holds
    }

    /// <summary>
    /// The facts, asked for again when the snapshot's heartbeat says that rights on the primary have changed since; null when the primary can't be
    /// asked then.
    /// </summary>
    public async ValueTask<PrimaryFacts?> FollowRightsAsync(
        ReplicaSnapshot snapshot, IRelationalConnection connection, DbSyncSettings settings, string publication, bool async, CancellationToken cancellationToken)
    {
        if (snapshot.BeatAt is not { } at || snapshot.Rights is not { } rights || (_seen is { } seen && (seen.Rights == rights || seen.At >= at))) return Facts;
        if (!await TryReadAsync(connection, settings, publication, async, cancellationToken).ConfigureAwait(false)) return null;
        _seen = new Seen(at, rights); // known before the facts were read, so the facts are at least as new
        return Facts;
    }

    private async ValueTask<bool> TryReadAsync(
        IRelationalConnection connection, DbSyncSettings settings, string publication, bool async, CancellationToken cancellationToken)
    {
        try
        {
            Facts = await UseAsync(
                connection, async, c => PrimaryFacts.ReadAsync(c, publication, _ignoreRowSecurity, settings.Time, async, cancellationToken), cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (Exception exception) when (exception is DbException or InvalidOperationException or IOException or TimeoutException)
        {
            return false; // it can't be reached, or its control functions may not be called
        }
    }

    /// <summary>The insert position now: at or after every commit that was answered.</summary>
    /// <param name="connection">The context's connection.</param>
    /// <param name="limit">How long the primary may take for the answer, rounded up to whole seconds; null for as long as its commands may take.</param>
    /// <param name="async">Whether it is awaited.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static ValueTask<Lsn> ReadPositionAsync(IRelationalConnection connection, TimeSpan? limit, bool async, CancellationToken cancellationToken) => UseAsync(
        connection, async, async c =>
        {
            await using var command = c.CreateCommand();
            if (limit is { } most) command.CommandTimeout = (int)Math.Min(most.TotalSeconds, CommandTimeoutMaxSeconds) + 1;
            command.CommandText = "SELECT pg_catalog.pg_current_wal_insert_lsn()::text";
            return Lsn.Parse((string)(async ? await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) : command.ExecuteScalar())!);
        },
        cancellationToken);

    /// <summary>
    /// Commits something that is replicated, and on the primary's disk, so that the replica's position moves past all that came before. A role
    /// that may not is not asked again: the node's own heartbeat does the same within a second. All readers beat in one row, so who waits for it longer
    /// than <paramref name="limit"/> gives up.
    /// </summary>
    public async ValueTask NudgeAsync(IRelationalConnection connection, TimeSpan limit, bool async, CancellationToken cancellationToken)
    {
        if (_beatRefused) return;
        try
        {
            await UseAsync(
                connection, async, async c =>
                {
                    await using var command = c.CreateCommand();
                    command.CommandText = "SELECT pg_catalog.set_config('lock_timeout', @limit, true), dbsync.nudge()";
                    command.CommandTimeout = (int)Math.Min(limit.TotalSeconds, CommandTimeoutMaxSeconds) + 1;
                    var parameter = command.CreateParameter();
                    (parameter.ParameterName, parameter.Value) = ("limit", $"{Math.Clamp((long)limit.TotalMilliseconds, 1, int.MaxValue)}ms");
                    command.Parameters.Add(parameter);
                    return async ? await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false) : command.ExecuteNonQuery();
                },
                cancellationToken).ConfigureAwait(false);
        }
        catch (DbException exception)
        {
            _beatRefused = exception.SqlState is NoPrivilege or NoFunction or NoSchema; // what else fails may pass
        }
    }

    private sealed record Seen(DateTimeOffset At, long Rights);

    private static async ValueTask<T> UseAsync<T>(
        IRelationalConnection connection, bool async, Func<DbConnection, ValueTask<T>> action, CancellationToken cancellationToken)
    {
        if (async) await connection.OpenAsync(cancellationToken, errorsExpected: true).ConfigureAwait(false);
        else connection.Open(errorsExpected: true);
        try
        {
            return await action(connection.DbConnection).ConfigureAwait(false);
        }
        finally
        {
            if (async) await connection.CloseAsync().ConfigureAwait(false);
            else connection.Close();
        }
    }
}
