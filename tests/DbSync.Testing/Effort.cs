using System.Globalization;

namespace DbSync.Testing;

/// <summary>
/// How many random cases a property is tried with: few at each run of the tests, many more in <c>scripts/soak</c>, which sets
/// <c>DBSYNC_TEST_EFFORT</c>.
/// </summary>
public static class Effort
{
    public const string Variable = "DBSYNC_TEST_EFFORT";

    private static readonly int Factor =
        int.TryParse(Environment.GetEnvironmentVariable(Variable), CultureInfo.InvariantCulture, out var factor) && factor > 0 ? factor : 1;

    /// <summary>The number of cases: <paramref name="few"/>, or a multiple of it.</summary>
    public static int Cases(int few) => few * Factor;
}
