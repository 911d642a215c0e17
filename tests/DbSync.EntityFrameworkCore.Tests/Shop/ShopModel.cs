using System.Collections.ObjectModel;

namespace DbSync.EntityFrameworkCore.Tests.Shop;

public enum Mood
{
    Sad,
    Fine,
    Happy,
}

public enum Level
{
    Bronze = 1,
    Silver = 2,
    Gold = 3,
}

public sealed class Customer
{
    public int Id { get; set; }
    public required string Name { get; set; }
    public string? Nick { get; set; }
    public decimal Credit { get; set; }
    public decimal? Bonus { get; set; }
    public decimal Precise { get; set; }
    public bool Active { get; set; }
    public bool? Vip { get; set; }
    public DateTime CreatedAt { get; set; }
    public DateTime? LastSeen { get; set; }
    public DateTimeOffset Signed { get; set; }
    public DateOnly Birthday { get; set; }
    public TimeOnly? Wakes { get; set; }
    public TimeSpan? Patience { get; set; }
    public Guid Ref { get; set; }
    public Mood Mood { get; set; }
    public Mood? OldMood { get; set; }
    public Level Level { get; set; }
    public Level Rank { get; set; }
    public required string Email { get; set; }
    public required string Code { get; set; }
    public int[] Lucky { get; set; } = [];
    public List<string> Tags { get; set; } = [];
    public double Score { get; set; }
    public float Ratio { get; set; }
    public long Big { get; set; }
    public short Small { get; set; }
    public int? Parent { get; set; }
    public byte[]? Blob { get; set; }
    public string? Raw { get; set; }
    public Address Address { get; set; } = new();
    public Profile Profile { get; set; } = new();
    public List<Order> Orders { get; } = [];
}

public sealed class Address
{
    public string Street { get; set; } = "";
    public string? City { get; set; }
}

public sealed class Profile
{
    public string Theme { get; set; } = "";
    public int Visits { get; set; }
    public bool Beta { get; set; }
    public decimal Limit { get; set; }
    public List<Device> Devices { get; set; } = [];
}

public sealed class Device
{
    public string Name { get; set; } = "";
    public int Year { get; set; }
}

public sealed class Order
{
    public long Id { get; set; }
    public int CustomerId { get; set; }
    public Customer? Customer { get; set; }
    public DateTime PlacedAt { get; set; }
    public decimal Total { get; set; }
    public string? Note { get; set; }
    public int Priority { get; set; }
    public Collection<OrderLine> Lines { get; } = [];
}

public sealed class OrderLine
{
    public long OrderId { get; set; }
    public int LineNo { get; set; }
    public Order? Order { get; set; }
    public int ProductId { get; set; }
    public Product? Product { get; set; }
    public int Quantity { get; set; }
    public decimal Price { get; set; }
}

public sealed class Product
{
    public int Id { get; set; }
    public required string Sku { get; set; }
    public required string Name { get; set; }
    public double? Weight { get; set; }
    public List<Category> Categories { get; } = [];
}

public sealed class Category
{
    public int Id { get; set; }
    public required string Name { get; set; }
    public int? ParentId { get; set; }
    public Category? Parent { get; set; }
    public HashSet<Category> Children { get; } = [];
    public ICollection<Product> Products { get; } = [];
}

public abstract class Animal
{
    public int Id { get; set; }
    public required string Name { get; set; }
}

public sealed class Dog : Animal
{
    public int Barks { get; set; }
}

public sealed class Cat : Animal
{
    public int Lives { get; set; }
}

public class Vehicle
{
    public int Id { get; set; }
    public required string Plate { get; set; }
}

public sealed class Car : Vehicle
{
    public int Doors { get; set; }
}

public abstract class Figure
{
    public int Id { get; set; }
    public required string Color { get; set; }
}

public sealed class Circle : Figure
{
    public int Radius { get; set; }
}

public sealed class Square : Figure
{
    public int Side { get; set; }
}

public sealed class Document
{
    public int Id { get; set; }
    public int TenantId { get; set; }
    public required string Title { get; set; }
}

public sealed class Unpublished
{
    public int Id { get; set; }
    public required string Name { get; set; }
}
