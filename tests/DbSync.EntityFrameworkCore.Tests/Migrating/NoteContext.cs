using DbSync.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Npgsql.EntityFrameworkCore.PostgreSQL.Metadata;

namespace DbSync.EntityFrameworkCore.Tests.Migrating;

/// <summary>An application whose schema has a history, as <c>dotnet ef migrations add</c> writes it.</summary>
internal sealed class NoteContext(DbContextOptions<NoteContext> options) : DbContext(options)
{
    public DbSet<Note> Notes => Set<Note>();

    public static NoteContext On(NodeUnderTest node, bool plugged = true) => On(node.ConnectionString, plugged ? node.DataPath : null);

    public static NoteContext On(string connectionString, string? dataPath)
    {
        var options = new DbContextOptionsBuilder<NoteContext>().OfManyKinds().UseNpgsql(connectionString)
            .ConfigureWarnings(w => w.Ignore(RelationalEventId.PendingModelChangesWarning)); // there is no snapshot beside these migrations
        return new NoteContext((dataPath is null ? options : options.UseDbSync(dataPath, o => o.WaitUpTo(TimeSpan.FromSeconds(10)))).Options);
    }

    protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.Entity<Note>(b =>
    {
        b.ToTable("notes");
        b.Property(n => n.Id).HasColumnName("id").ValueGeneratedNever();
        b.Property(n => n.Headline).HasColumnName("headline");
        b.Property(n => n.Rank).HasColumnName("rank");
    });

    [DbContext(typeof(NoteContext))]
    [Migration("20260101000001_Start")]
    internal sealed class Start : Migration
    {
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateTable(
                "notes", t => new { id = t.Column<int>(), title = t.Column<string>(nullable: true) }, constraints: t => t.PrimaryKey("notes_pkey", n => n.id));
            migrationBuilder.Sql("INSERT INTO notes SELECT g, 'note ' || g FROM generate_series(1, 50) g;");
        }
    }

    [DbContext(typeof(NoteContext))]
    [Migration("20260101000002_Rename")]
    internal sealed class Rename : Migration
    {
        protected override void Up(MigrationBuilder migrationBuilder) => migrationBuilder.RenameColumn("title", "notes", "headline");
    }

    [DbContext(typeof(NoteContext))]
    [Migration("20260101000003_Rank")]
    internal sealed class AddRank : Migration
    {
        protected override void Up(MigrationBuilder migrationBuilder) => migrationBuilder.AddColumn<int>("rank", "notes", nullable: false, defaultValue: 4)
            .Annotation("Npgsql:ValueGenerationStrategy", NpgsqlValueGenerationStrategy.None);
    }
}

internal sealed class Note
{
    public int Id { get; set; }

    public string? Headline { get; set; }

    public int Rank { get; set; }
}
