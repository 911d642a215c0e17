namespace DbSync.Testing;

/// <summary>A directory only we can read (0700) under the system's temporary directory; gone when disposed, or when the test process ends.</summary>
public sealed class TemporaryDirectory : IDisposable
{
    public TemporaryDirectory()
    {
        Path = ProcessGuard.NewPath("dir");
        Directory.CreateDirectory(Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    public string Path { get; }

    /// <summary>The path of <paramref name="name"/> in this directory.</summary>
    public string this[string name] => System.IO.Path.Combine(Path, name);

    public override string ToString() => Path;

    public void Dispose()
    {
        if (Directory.Exists(Path))
            Directory.Delete(Path, recursive: true);
    }
}
