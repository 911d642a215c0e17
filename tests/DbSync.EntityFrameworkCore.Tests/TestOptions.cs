using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace DbSync.EntityFrameworkCore.Tests;

internal static class TestOptions
{
    /// <summary>These tests configure contexts in more ways than any application; EF Core would take that for a mistake.</summary>
    public static T OfManyKinds<T>(this T options)
        where T : DbContextOptionsBuilder
    {
        options.ConfigureWarnings(w => w.Ignore(CoreEventId.ManyServiceProvidersCreatedWarning));
        return options;
    }
}
