namespace MultiTenant;

/// <summary>Whose request it is: the header <c>X-Tenant</c>. A real application takes it from the user's identity.</summary>
public sealed class Tenant(IHttpContextAccessor accessor)
{
    public int Id { get; } = int.TryParse(accessor.HttpContext?.Request.Headers["X-Tenant"], out var id) ? id : 0;
}
