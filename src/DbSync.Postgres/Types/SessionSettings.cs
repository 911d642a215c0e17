using Npgsql;

namespace DbSync.Postgres.Types;

/// <summary>
/// The session settings that fix PostgreSQL's text forms. Every connection of ours has them, whatever the role's, the database's or the
/// environment's defaults are: the codecs understand nothing else.
/// </summary>
internal static class SessionSettings
{
    /// <summary>
    /// For the startup packet's <c>options</c>. <c>lc_monetary</c> is here because money prints with the locale's decimals, while
    /// Npgsql always reads two.
    /// </summary>
    public const string Options =
        "-c TimeZone=UTC -c DateStyle=ISO -c IntervalStyle=postgres -c extra_float_digits=1 -c bytea_output=hex -c lc_monetary=C";

    /// <summary>Pins the settings. What the user put into <c>Options</c> stays in force unless it contradicts.</summary>
    public static void Pin(NpgsqlConnectionStringBuilder connection)
    {
        connection.Options = string.IsNullOrWhiteSpace(connection.Options) ? Options : $"{connection.Options} {Options}";
        // These two are startup parameters of their own, which beat the options and default to PGTZ and PGCLIENTENCODING.
        connection.Timezone = "UTC";
        connection.ClientEncoding = "UTF8";
    }
}
