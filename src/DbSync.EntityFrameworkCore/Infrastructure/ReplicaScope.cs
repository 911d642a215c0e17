using DbSync.EntityFrameworkCore.Modeling;
using DbSync.EntityFrameworkCore.Parity;
using DbSync.EntityFrameworkCore.Routing;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Query;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace DbSync.EntityFrameworkCore.Infrastructure;

/// <summary>The SQLite provider's services of one context.</summary>
internal sealed class ReplicaScope(IServiceScope scope, IModel model) : IDisposable
{
    private readonly QueryContextDependencies _dependencies = scope.ServiceProvider.GetRequiredService<QueryContextDependencies>();
    private readonly RelationalQueryContextDependencies _relational = scope.ServiceProvider.GetRequiredService<RelationalQueryContextDependencies>();
    private readonly IRelationalConnection _connection = scope.ServiceProvider.GetRequiredService<IRelationalConnection>();

    public IModel Model => model;

    /// <summary>Compiles a query over the main model's roots, turned into the replica's.</summary>
    /// <exception cref="NotRoutableException">The replica might answer it differently.</exception>
    public (Func<QueryContext, TResult> Query, ReplicaNeeds Needs) Compile<TResult>(System.Linq.Expressions.Expression query, bool async, bool tracks, IModel main)
    {
        var compilation = scope.ServiceProvider.GetRequiredService<ReplicaCompilation>();
        compilation.Begin(tracks, main);
        var compiled = scope.ServiceProvider.GetRequiredService<IDatabase>().CompileQuery<TResult>(new RootRewriter(model).Visit(query), async);
        return (compiled, compilation.End());
    }

    /// <summary>A query context like the main one, reading from <paramref name="replica"/>.</summary>
    /// <exception cref="NotSupportedException">A parameter is what SQLite would change.</exception>
    public QueryContext CreateContext(QueryContext main, SqliteConnection replica)
    {
        _connection.SetDbConnection(replica, contextOwnsConnection: false);
        var context = new ReplicaQueryContext(_dependencies, _relational);
        foreach (var (name, value) in main.Parameters)
        {
            if (!StoredTypes.CanBind(value)) throw new NotSupportedException("Only Npgsql can say what half a pair of surrogates or NaN means.");
            context.Parameters[name] = value;
        }
        context.CancellationToken = main.CancellationToken;
        return context;
    }

    public void Dispose() => scope.Dispose();
}
