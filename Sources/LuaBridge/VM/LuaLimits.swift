// What a script may use. Memory is counted by the state's allocator, instructions by its count
// hook, time by a clock outside of the script's thread.

/// The bounds within which the scripts of one state run.
public struct LuaLimits: Sendable, Hashable {
    /// Bytes that the state may hold in all; 64 MiB unless said otherwise.
    public var memoryBytes: Int
    /// Bytes that one string, table or stack may take; 4 MiB unless said otherwise.
    public var allocationBytes: Int
    /// Virtual-machine instructions that one run or call may execute, counted in hundreds.
    public var instructions: Int?
    /// Wall-clock time that one run or call may take, waits included.
    public var time: Duration?
    /// How long an abort waits for the script's thread before it is left behind; 1 s.
    public var abortGrace: Duration
    /// Nesting of tables that are converted to Swift; 64.
    public var tableDepth: Int

    /// 64 MiB in all, 4 MiB at once, no bound on instructions and time.
    public static let `default` = LuaLimits()

    /// Makes limits from the defaults and what is given.
    public init(
        memoryBytes: Int = 64 << 20,
        allocationBytes: Int = 4 << 20,
        instructions: Int? = nil,
        time: Duration? = nil,
        abortGrace: Duration = .seconds(1),
        tableDepth: Int = 64
    ) {
        self.memoryBytes = memoryBytes
        self.allocationBytes = allocationBytes
        self.instructions = instructions
        self.time = time
        self.abortGrace = abortGrace
        self.tableDepth = tableDepth
    }
}
