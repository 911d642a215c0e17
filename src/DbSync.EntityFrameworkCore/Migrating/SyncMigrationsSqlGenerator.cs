using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.EntityFrameworkCore.Migrations.Operations;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure.Internal;
using Npgsql.EntityFrameworkCore.PostgreSQL.Migrations;

namespace DbSync.EntityFrameworkCore.Migrating;

/// <summary>Turns what a migration says of a table's replication into the calls of the control schema that do it.</summary>
internal sealed class SyncMigrationsSqlGenerator(MigrationsSqlGeneratorDependencies dependencies, INpgsqlSingletonOptions npgsql)
    : NpgsqlMigrationsSqlGenerator(dependencies, npgsql)
{
    private static readonly string[] Names = [SyncAnnotations.ShardKey, SyncAnnotations.Placement, SyncAnnotations.NotReplicated];

    protected override void Generate(CreateTableOperation operation, IModel? model, MigrationCommandListBuilder builder, bool terminate = true)
    {
        base.Generate(operation, model, builder, terminate);
        if (terminate && Names.Any(n => operation.FindAnnotation(n) is not null)) Choose(operation, operation.Name, operation.Schema, builder);
    }

    protected override void Generate(AlterTableOperation operation, IModel? model, MigrationCommandListBuilder builder)
    {
        base.Generate(operation, model, builder);
        if (Names.Any(n => operation.FindAnnotation(n) is not null || operation.OldTable.FindAnnotation(n) is not null))
            Choose(operation, operation.Name, operation.Schema, builder);
    }

    /// <summary>PostgreSQL drops no column that a publication lists, and it lists them where some are left out.</summary>
    protected override void Generate(DropColumnOperation operation, IModel? model, MigrationCommandListBuilder builder, bool terminate = true)
    {
        if (terminate && model?.GetRelationalModel().FindTable(operation.Table, operation.Schema)?.FindAnnotation(SyncAnnotations.NotReplicated) is not null)
            End(SyncSql.Release(Name(operation.Table, operation.Schema), operation.Name), builder);
        base.Generate(operation, model, builder, terminate);
    }

    private void Choose(IAnnotatable said, string table, string? schema, MigrationCommandListBuilder builder)
    {
        var key = said.FindAnnotation(SyncAnnotations.ShardKey)?.Value as string[] ?? [];
        var placement = said.FindAnnotation(SyncAnnotations.Placement)?.Value as string;
        var hidden = said.FindAnnotation(SyncAnnotations.NotReplicated)?.Value as string[] ?? [];
        var told = placement switch
        {
            SyncAnnotations.None => "none",
            SyncAnnotations.Reference => "reference",
            _ => key.Length > 0 ? "sharded" : "default",
        };
        End(SyncSql.Choose(Name(table, schema), told, key, hidden), builder);
    }

    private string Name(string table, string? schema) => Dependencies.SqlGenerationHelper.DelimitIdentifier(table, schema);

    private static void End(string sql, MigrationCommandListBuilder builder) => builder.AppendLine(sql).EndCommand();
}
