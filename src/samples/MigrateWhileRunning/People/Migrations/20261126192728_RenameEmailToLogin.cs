using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace MigrateWhileRunning.People.Migrations;

/// <inheritdoc />
public partial class RenameEmailToLogin : Migration
{
    /// <inheritdoc />
    protected override void Up(MigrationBuilder migrationBuilder)
    {
        migrationBuilder.RenameColumn(
            name: "Email",
            table: "people",
            newName: "Login");
    }

    /// <inheritdoc />
    protected override void Down(MigrationBuilder migrationBuilder)
    {
        migrationBuilder.RenameColumn(
            name: "Login",
            table: "people",
            newName: "Email");
    }
}
