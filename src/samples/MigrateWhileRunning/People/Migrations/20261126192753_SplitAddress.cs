using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace MigrateWhileRunning.People.Migrations;

/// <inheritdoc />
public partial class SplitAddress : Migration
{
    /// <inheritdoc />
    protected override void Up(MigrationBuilder migrationBuilder)
    {
        migrationBuilder.CreateTable(
            name: "addresses",
            columns: table => new
            {
                PersonId = table.Column<int>(type: "integer", nullable: false),
                Street = table.Column<string>(type: "text", nullable: false),
                City = table.Column<string>(type: "text", nullable: false)
            },
            constraints: table =>
            {
                table.PrimaryKey("PK_addresses", x => x.PersonId);
                table.ForeignKey(
                    name: "FK_addresses_people_PersonId",
                    column: x => x.PersonId,
                    principalTable: "people",
                    principalColumn: "Id",
                    onDelete: ReferentialAction.Cascade);
            });

        // By hand: the rows move before their old columns go.
        migrationBuilder.Sql("""INSERT INTO addresses ("PersonId", "Street", "City") SELECT "Id", "Street", "City" FROM people""");

        migrationBuilder.DropColumn(
            name: "City",
            table: "people");

        migrationBuilder.DropColumn(
            name: "Street",
            table: "people");
    }

    /// <inheritdoc />
    protected override void Down(MigrationBuilder migrationBuilder)
    {
        migrationBuilder.AddColumn<string>(
            name: "City",
            table: "people",
            type: "text",
            nullable: false,
            defaultValue: "");

        migrationBuilder.AddColumn<string>(
            name: "Street",
            table: "people",
            type: "text",
            nullable: false,
            defaultValue: "");

        migrationBuilder.Sql("""UPDATE people SET "Street" = a."Street", "City" = a."City" FROM addresses AS a WHERE a."PersonId" = people."Id" """);

        migrationBuilder.DropTable(
            name: "addresses");
    }
}
