using DbSync.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace DbSync.EntityFrameworkCore.Tests.Migrating;

/// <summary>A small shop, of whose replication nothing is said.</summary>
internal class PlainContext(DbContextOptions options) : DbContext(options)
{
    public DbSet<Purchase> Purchases => Set<Purchase>();

    public DbSet<Person> People => Set<Person>();

    public DbSet<Trace> Traces => Set<Trace>();

    public static DbContextOptions<T> Options<T>(string connectionString, string? dataPath)
        where T : DbContext
    {
        var options = new DbContextOptionsBuilder<T>().OfManyKinds().UseNpgsql(connectionString)
            .ConfigureWarnings(w => w.Ignore(RelationalEventId.PendingModelChangesWarning)); // there is no snapshot beside these migrations
        return (dataPath is null ? options : options.UseDbSync(dataPath, o => o.WaitUpTo(TimeSpan.FromSeconds(10)))).Options;
    }

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Purchase>(b =>
        {
            b.ToTable("purchases").HasKey(p => new { p.Id, p.CustomerId });
            b.Property(p => p.Id).HasColumnName("id").ValueGeneratedNever();
            b.Property(p => p.CustomerId).HasColumnName("customer_id");
        });
        modelBuilder.Entity<Person>(b =>
        {
            b.ToTable("people");
            b.Property(p => p.Id).HasColumnName("id").ValueGeneratedNever();
            b.Property(p => p.Name).HasColumnName("name");
            b.Property(p => p.Salary).HasColumnName("salary");
        });
        modelBuilder.Entity<Trace>(b =>
        {
            b.ToTable("traces");
            b.Property(t => t.Id).HasColumnName("id").ValueGeneratedNever();
        });
    }
}

/// <summary>The same shop, with a plan, and the migrations that <c>dotnet ef migrations add</c> writes for it.</summary>
internal sealed class PlannedContext(DbContextOptions<PlannedContext> options) : PlainContext(options)
{
    public static PlannedContext On(string connectionString, string dataPath) => new(Options<PlannedContext>(connectionString, dataPath));

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        base.OnModelCreating(modelBuilder);
        modelBuilder.Entity<Purchase>().IsSharded(p => p.CustomerId);
        modelBuilder.Entity<Person>(b =>
        {
            b.IsReference();
            b.Property(p => p.Salary).IsNotReplicated();
        });
        modelBuilder.Entity<Trace>().IsNotReplicated();
    }

    [DbContext(typeof(PlannedContext))]
    [Migration("20260201000001_Start")]
    internal sealed class Start : Migration
    {
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateTable(
                "purchases", t => new { id = t.Column<int>(), customer_id = t.Column<int>() }, constraints: t => t.PrimaryKey("purchases_pkey", p => new { p.id, p.customer_id }));
            migrationBuilder.CreateTable(
                "people", t => new { id = t.Column<int>(), name = t.Column<string>(), salary = t.Column<int>() }, constraints: t => t.PrimaryKey("people_pkey", p => p.id));
            migrationBuilder.CreateTable("traces", t => new { id = t.Column<int>() }, constraints: t => t.PrimaryKey("traces_pkey", p => p.id));
            migrationBuilder.Sql("INSERT INTO purchases SELECT g, g % 40 FROM generate_series(1, 400) g; INSERT INTO people SELECT g, 'p' || g, g * 10 FROM generate_series(1, 30) g; INSERT INTO traces SELECT g FROM generate_series(1, 20) g;");
        }
    }

    [DbContext(typeof(PlannedContext))]
    [Migration("20260201000002_Plan")]
    internal sealed class Plan : Migration
    {
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AlterTable(name: "traces").Annotation("DbSync:Placement", "NotReplicated");
            migrationBuilder.AlterTable(name: "purchases").Annotation("DbSync:ShardKey", new[] { "customer_id" });
            migrationBuilder.AlterTable(name: "people")
                .Annotation("DbSync:NotReplicated", new[] { "salary" })
                .Annotation("DbSync:Placement", "Reference");
        }

        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AlterTable(name: "traces").OldAnnotation("DbSync:Placement", "NotReplicated");
            migrationBuilder.AlterTable(name: "purchases").OldAnnotation("DbSync:ShardKey", new[] { "customer_id" });
            migrationBuilder.AlterTable(name: "people")
                .OldAnnotation("DbSync:NotReplicated", new[] { "salary" })
                .OldAnnotation("DbSync:Placement", "Reference");
        }
    }

    [DbContext(typeof(PlannedContext))]
    [Migration("20260201000003_Reshape")]
    internal sealed class Reshape : Migration
    {
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropColumn(name: "name", table: "people");
            migrationBuilder.AddColumn<string>(name: "city", table: "people", nullable: false, defaultValue: "Bern");
            migrationBuilder.RenameTable(name: "purchases", newName: "sales");
        }

        protected override void BuildTargetModel(ModelBuilder modelBuilder) =>
            modelBuilder.Entity<Person>(b =>
            {
                b.ToTable("people");
                b.Property(p => p.Salary).HasColumnName("salary").HasAnnotation("DbSync:NotReplicated", true);
            });
    }
}

internal sealed class Purchase
{
    public int Id { get; set; }

    public int CustomerId { get; set; }
}

internal sealed class Person
{
    public int Id { get; set; }

    public string Name { get; set; } = "";

    public int Salary { get; set; }
}

internal sealed class Trace
{
    public int Id { get; set; }
}
