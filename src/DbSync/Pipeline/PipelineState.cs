namespace DbSync;

/// <summary>What the pipeline is doing.</summary>
internal enum PipelineState
{
    /// <summary>Looking for the primary; what was applied is served meanwhile.</summary>
    Connecting = 0,

    /// <summary>Following the change log.</summary>
    Streaming = 1,

    /// <summary>Ended as asked.</summary>
    Stopped = 2,

    /// <summary>Ended by an error that needs a person.</summary>
    Failed = 3,
}
