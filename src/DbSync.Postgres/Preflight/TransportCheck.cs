using Npgsql;

namespace DbSync.Postgres;

/// <summary>Checks that a connection that leaves this machine is encrypted and its server known.</summary>
internal static class TransportCheck
{
    public static PreflightCheck Of(Primary primary)
    {
        const string name = "encryption";
        var settings = new NpgsqlConnectionStringBuilder(primary.ConnectionString);
        if (Primary.IsLocal(settings.Host)) return PreflightCheck.Ok(CheckCodes.Transport, name, "The primary is on this machine.");
        return settings.SslMode switch
        {
            SslMode.VerifyFull => PreflightCheck.Ok(CheckCodes.Transport, name, "The connection is encrypted and the server's name is checked."),
            SslMode.VerifyCA => PreflightCheck.Warn(
                CheckCodes.Transport, name, "The server's certificate is checked, its name is not.", "Another server of the same authority could stand in.", "SSL Mode=VerifyFull"),
            SslMode.Require => PreflightCheck.Warn(
                CheckCodes.Transport, name, "The connection is encrypted, the server is not checked.", "Anybody in between could be the server.", "SSL Mode=VerifyFull;Root Certificate=..."),
            _ => PreflightCheck.Fail(
                CheckCodes.Transport, name, "The connection may go unencrypted.", "Everything that is replicated goes over it.", "SSL Mode=VerifyFull;Root Certificate=..."),
        };
    }
}
