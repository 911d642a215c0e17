using DbSync.Testing;

[assembly: AssemblyFixture(typeof(RedisFixture))]
