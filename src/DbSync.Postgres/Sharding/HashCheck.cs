using Npgsql;

namespace DbSync.Postgres;

/// <summary>Asks the primary for the known answers of <see cref="HashVectors"/>, at every start, before anything is routed.</summary>
internal static class HashCheck
{
    /// <exception cref="DbSyncException">The primary, or this process, hashes differently.</exception>
    public static async Task RunAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        // The types are the vectors' own words; the values travel as parameters.
        var values = HashVectors.All.Select((vector, at) => $"(${at + 1}::text)::{vector.Type}").ToArray();
        var hashes = values.Append(string.Join(", ", values)).Select(value => $"pg_catalog.hash_record_extended(ROW({value}), 0)");
        await using var command = new NpgsqlCommand($"SELECT ARRAY[{string.Join(", ", hashes)}]", connection);
        foreach (var vector in HashVectors.All) command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = vector.Value });
        HashVectors.Check((long[])(await command.ExecuteScalarAsync(cancellationToken))!);
    }
}
