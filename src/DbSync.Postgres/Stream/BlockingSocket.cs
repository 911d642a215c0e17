using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace DbSync.Postgres;

/// <summary>
/// Makes a socket block in the system call itself. .NET keeps a socket that was once non-blocking (the driver connects so, to have a timeout)
/// non-blocking for good, waits for it in its event loop, and registers it there: from then on every packet wakes a thread of the loop and
/// one of the pool, also while another thread takes the bytes.
/// </summary>
/// <remarks>Sources: epoll_ctl(2), proc(5), SocketAsyncContext.Unix.cs in dotnet/runtime. Elsewhere than on Linux nothing is done: it is only slower.</remarks>
internal static partial class BlockingSocket
{
    private const int EpollCtlDel = 2;
    private static readonly ConditionalWeakTable<Socket, object> Done = [];

    /// <summary>From here on the socket may be read and written synchronously only.</summary>
    public static void Make(Socket socket)
    {
        if (!OperatingSystem.IsLinux() || !Done.TryAdd(socket, Done)) return;
        _ = SetNonBlocking(socket.SafeHandle, 0);
        foreach (var descriptor in Directory.EnumerateFileSystemEntries("/proc/self/fd"))
        {
            if (IsEventLoop(descriptor)) Leave(int.Parse(Path.GetFileName(descriptor)), socket.SafeHandle);
        }
    }

    private static bool IsEventLoop(string descriptor)
    {
        try
        {
            return new FileInfo(descriptor).LinkTarget is "anon_inode:[eventpoll]";
        }
        catch (IOException)
        {
            return false; // closed meanwhile
        }
    }

    private static unsafe void Leave(int eventLoop, SafeSocketHandle socket)
    {
        Span<byte> ignored = stackalloc byte[16]; // kernels before 2.6.9 want a pointer
        fixed (byte* pointer = ignored) _ = EpollControl(eventLoop, EpollCtlDel, socket, pointer); // fails where it isn't registered
    }

    [LibraryImport("libSystem.Native", EntryPoint = "SystemNative_FcntlSetIsNonBlocking")]
    private static partial int SetNonBlocking(SafeHandle socket, int isNonBlocking);

    [LibraryImport("libc", EntryPoint = "epoll_ctl")]
    private static unsafe partial int EpollControl(int eventLoop, int operation, SafeHandle descriptor, byte* ignored);
}
