using DbSync.Testing;

[assembly: AssemblyFixture(typeof(PostgresFixture))]
[assembly: AssemblyFixture(typeof(Postgres18Fixture))]
[assembly: AssemblyFixture(typeof(RedisFixture))]
