using Microsoft.EntityFrameworkCore;

namespace DbSync.EntityFrameworkCore.Tests.Plugging;

public class LibraryContext : DbContext
{
    public LibraryContext(DbContextOptions<LibraryContext> options)
        : base(options)
    {
    }

    protected LibraryContext(DbContextOptions options)
        : base(options)
    {
    }

    public DbSet<Author> Authors => Set<Author>();

    public DbSet<Book> Books => Set<Book>();
}

/// <summary>Which shelf a request may see: what applications inject into their contexts.</summary>
public sealed class Shelf
{
    public int Number { get; set; }
}

public sealed class ShelfContext(DbContextOptions<ShelfContext> options, Shelf shelf) : LibraryContext(options)
{
    protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.Entity<Book>().HasQueryFilter(b => b.Shelf == shelf.Number);
}

public class Author
{
    public int Id { get; set; }

    public required string FullName { get; set; }

    public virtual ICollection<Book> Books { get; } = [];
}

public class Book
{
    public int Id { get; set; }

    public int AuthorId { get; set; }

    public int Shelf { get; set; }

    public required string Title { get; set; }

    public virtual Author? Author { get; set; }
}

/// <summary>A context with a compiled model: what <c>dotnet ef dbcontext optimize</c> made of it is in the folder Compiled.</summary>
public sealed class CompiledContext(DbContextOptions<CompiledContext> options) : LibraryContext(options);
