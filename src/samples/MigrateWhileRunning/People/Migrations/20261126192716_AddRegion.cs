using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace MigrateWhileRunning.People.Migrations;

/// <inheritdoc />
public partial class AddRegion : Migration
{
    /// <inheritdoc />
    protected override void Up(MigrationBuilder migrationBuilder)
    {
        migrationBuilder.AddColumn<string>(
            name: "Region",
            table: "people",
            type: "text",
            nullable: false,
            defaultValue: "");

        // By hand: the backfill, in the same transaction.
        migrationBuilder.Sql("""UPDATE people SET "Region" = CASE "Id" % 3 WHEN 0 THEN 'north' WHEN 1 THEN 'south' ELSE 'west' END""");
    }

    /// <inheritdoc />
    protected override void Down(MigrationBuilder migrationBuilder)
    {
        migrationBuilder.DropColumn(
            name: "Region",
            table: "people");
    }
}
