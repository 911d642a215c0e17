using Microsoft.EntityFrameworkCore;

namespace MultiTenant;

/// <summary>
/// Every table begins its key with the tenant, and a query filter keeps each request with its own. The filter sees the context's tenant on the replica
/// as it does on the primary, since it is one and the same context.
/// </summary>
public sealed class InvoiceContext(DbContextOptions<InvoiceContext> options, Tenant tenant) : DbContext(options)
{
    public DbSet<Invoice> Invoices => Set<Invoice>();

    protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.Entity<Invoice>(b =>
    {
        b.ToTable("invoices");
        b.HasKey(i => new { i.TenantId, i.Number });
        b.Property(i => i.Amount).HasPrecision(12, 2);
        b.HasQueryFilter(i => i.TenantId == tenant.Id);
    });
}

public sealed class Invoice
{
    public int TenantId { get; set; }

    public int Number { get; set; }

    public required string Customer { get; set; }

    public decimal Amount { get; set; }
}
