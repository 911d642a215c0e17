using StackExchange.Redis;

namespace DbSync.Redis.Wire;

/// <summary>What a library function answered; the letters are listed in <c>Lua/00_layout.lua</c>.</summary>
internal readonly struct LockReply(RedisResult result)
{
    public char Status { get; } = ((string)result[0]!)[0];

    public int Length => result.Length;

    public RedisResult this[int index] => result[index];

    public long Number(int index) => (long)result[index];

    public string Text(int index) => (string)result[index]!;
}
