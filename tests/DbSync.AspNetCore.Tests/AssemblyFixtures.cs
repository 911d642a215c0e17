using DbSync.Testing;

[assembly: AssemblyFixture(typeof(PostgresFixture))]
