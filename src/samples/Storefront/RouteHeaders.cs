using System.Globalization;
using Microsoft.EntityFrameworkCore;
using Storefront.Store;

namespace Storefront;

/// <summary>Says in each response who answered the request's last query, and how old the replica was.</summary>
internal static class RouteHeaders
{
    public static IApplicationBuilder UseRouteHeaders(this IApplicationBuilder app) => app.Use(async (context, next) =>
    {
        context.Response.OnStarting(() =>
        {
            if (context.RequestServices.GetRequiredService<StoreContext>().GetLastRoute() is not { } route) return Task.CompletedTask;
            context.Response.Headers["X-Route"] = route.IsReplica ? $"replica at {route.Position}" : $"primary ({route.Reason})";
            if (route.Age is { } age) context.Response.Headers["X-Replica-Age-Ms"] = age.TotalMilliseconds.ToString("0", CultureInfo.InvariantCulture);
            return Task.CompletedTask;
        });
        await next(context);
    });
}
