using Microsoft.Win32.SafeHandles;

namespace DbSync.Postgres;

/// <summary>One file of a <see cref="SpillDirectory"/>: written at its end, cut off, read, and gone when it is disposed.</summary>
internal sealed class SpillFile : IDisposable
{
    private readonly SpillDirectory _directory;
    private readonly string _path;
    private readonly SafeFileHandle _file;

    public SpillFile(SpillDirectory directory, string path)
    {
        (_directory, _path) = (directory, path);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        new FileStream(path, options).Dispose(); // made with its mode, then used through a handle that holds no buffer
        _file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
    }

    public long Length { get; private set; }

    /// <exception cref="DbSyncException">DBS3101 the folder is full, DBS3102 the disk refuses.</exception>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        _directory.Take(bytes.Length);
        try
        {
            RandomAccess.Write(_file, bytes, Length);
        }
        catch (IOException exception)
        {
            _directory.Return(bytes.Length);
            throw _directory.Failed(exception);
        }
        Length += bytes.Length;
    }

    /// <summary>Drops everything from <paramref name="offset"/> on.</summary>
    public void CutTo(long offset)
    {
        if (offset >= Length) return;
        _directory.Guard(() =>
        {
            RandomAccess.SetLength(_file, offset);
            return true;
        });
        _directory.Return(Length - offset);
        Length = offset;
    }

    /// <summary>Fills <paramref name="target"/> from <paramref name="offset"/> on.</summary>
    public void Read(Span<byte> target, long offset)
    {
        try
        {
            while (!target.IsEmpty)
            {
                var read = RandomAccess.Read(_file, target, offset);
                if (read == 0) throw new EndOfStreamException("the file is shorter than what was written into it.");
                target = target[read..];
                offset += read;
            }
        }
        catch (IOException exception)
        {
            throw _directory.Failed(exception);
        }
    }

    public void Dispose()
    {
        if (_file.IsClosed) return;
        _file.Dispose();
        _directory.Return(Length);
        try
        {
            File.Delete(_path);
        }
        catch (IOException)
        {
            // The next stream deletes it before anything else.
        }
    }
}
