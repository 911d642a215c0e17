using Spectre.Console.Rendering;

namespace DbSync.Cli;

/// <summary>
/// Lines that erase what stands behind them: a line that scrolls by is written over what was drawn in place there.
/// </summary>
internal sealed class ClearedLines(IRenderable lines) : IRenderable
{
    private const string EraseToTheEnd = "\u001b[K";

    public Measurement Measure(RenderOptions options, int maxWidth) => lines.Measure(options, maxWidth);

    public IEnumerable<Segment> Render(RenderOptions options, int maxWidth)
    {
        foreach (var segment in lines.Render(options, maxWidth))
        {
            if (segment.IsLineBreak && options.Ansi) yield return Segment.Control(EraseToTheEnd);
            yield return segment;
        }
    }
}
