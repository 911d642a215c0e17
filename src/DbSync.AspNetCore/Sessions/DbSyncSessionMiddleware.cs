using DbSync.EntityFrameworkCore;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace DbSync.AspNetCore;

/// <summary>Gives each request its user's session, and each response what the session has come to.</summary>
internal sealed class DbSyncSessionMiddleware(RequestDelegate next, IOptions<DbSyncSessionOptions> options, SessionProtector protector)
{
    public async Task InvokeAsync(HttpContext context)
    {
        var session = context.RequestServices.GetRequiredService<DbSyncSession>();
        var settings = options.Value;
        Join(session, settings.Cookie?.Name is { } cookie ? context.Request.Cookies[cookie] : null);
        if (settings.HeaderName is { } header)
            foreach (var value in context.Request.Headers[header]) Join(session, value);
        var before = session.ToToken();
        context.Response.OnStarting(() =>
        {
            if (session.ToToken() is { Length: > 0 } token && token != before) Send(context, settings, protector.Protect(token));
            return Task.CompletedTask;
        });
        using (session.Enter()) await next(context); // the flow's session: pooled contexts see it too
    }

    private void Join(DbSyncSession session, string? value)
    {
        if (protector.TryUnprotect(value) is { } token) session.Join(token);
    }

    private static void Send(HttpContext context, DbSyncSessionOptions settings, string value)
    {
        if (settings.Cookie is { Name: { } name } cookie) context.Response.Cookies.Append(name, value, cookie.Build(context));
        if (settings.HeaderName is { } header) context.Response.Headers[header] = value;
    }
}
