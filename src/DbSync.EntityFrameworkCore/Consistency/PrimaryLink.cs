using System.Collections.Concurrent;
using System.Data.Common;
using Microsoft.EntityFrameworkCore.Storage;

namespace DbSync.EntityFrameworkCore.Consistency;

/// <summary>One way to the primary: a connection string, so one role in one database. Shared by all contexts that use it.</summary>
internal sealed class PrimaryLink
{
    private static readonly ConcurrentDictionary<(string ConnectionString, bool IgnoreRowSecurity), PrimaryLink> Links = new();
    private readonly bool _ignoreRowSecurity;
    private bool _beatRefused;

    private PrimaryLink(bool ignoreRowSecurity) => _ignoreRowSecurity = ignoreRowSecurity;

    /// <summary>What is known of the primary; null before it was asked.</summary>
    public PrimaryFacts? Facts { get; private set; }

    public static PrimaryLink Of(string connectionString, bool ignoreRowSecurity) =>
        Links.GetOrAdd((connectionString, ignoreRowSecurity), k => new PrimaryLink(k.IgnoreRowSecurity));

    /// <summary>The facts, asked for again when they are older than <see cref="DbSyncSettings.FactsAgeMax"/>; null when the primary can't be asked.</summary>
    public async ValueTask<PrimaryFacts?> GetFactsAsync(
        IRelationalConnection connection, DbSyncSettings settings, string publication, bool async, CancellationToken cancellationToken)
    {
        if (Facts is { } known && settings.Time.GetElapsedTime(known.ReadAt) < settings.FactsAgeMax) return known;
        try
        {
            Facts = await UseAsync(
                connection, async, c => PrimaryFacts.ReadAsync(c, publication, _ignoreRowSecurity, settings.Time, async, cancellationToken), cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is DbException or InvalidOperationException or IOException or TimeoutException)
        {
            // It can't be reached, or its control functions may not be called: what was known last still holds, or the primary answers.
        }
        return Facts;
    }

    /// <summary>The insert position now: at or after every commit that was answered.</summary>
    public static ValueTask<Lsn> ReadPositionAsync(IRelationalConnection connection, bool async, CancellationToken cancellationToken) => UseAsync(
        connection, async, async c =>
        {
            await using var command = c.CreateCommand();
            command.CommandText = "SELECT pg_catalog.pg_current_wal_insert_lsn()::text";
            return Lsn.Parse((string)(async ? await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) : command.ExecuteScalar())!);
        },
        cancellationToken);

    /// <summary>
    /// Commits something that is replicated, and on the primary's disk, so that the replica's position moves past all that came before. A role
    /// that may not is not asked again: the node's own heartbeat does the same within a second.
    /// </summary>
    public async ValueTask NudgeAsync(IRelationalConnection connection, bool async, CancellationToken cancellationToken)
    {
        if (_beatRefused) return;
        try
        {
            await UseAsync(
                connection, async, async c =>
                {
                    await using var command = c.CreateCommand();
                    command.CommandText =
                        """
                        SET LOCAL synchronous_commit = on;
                        INSERT INTO dbsync.heartbeat (node, beat, beat_at) VALUES ('readers', 1, pg_catalog.clock_timestamp())
                        ON CONFLICT (node) DO UPDATE SET beat = heartbeat.beat + 1, beat_at = pg_catalog.clock_timestamp();
                        """; // one message, so one transaction
                    return async ? await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false) : command.ExecuteNonQuery();
                },
                cancellationToken).ConfigureAwait(false);
        }
        catch (DbException)
        {
            _beatRefused = true;
        }
    }

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
