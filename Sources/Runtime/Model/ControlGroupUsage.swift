// What the files of a control group mean, in both versions: usage, limits, and how often a limit was met.

/// How often a quota of processor time held tasks back.
package struct ControlGroupThrottling: Sendable, Hashable, Codable {
    /// Periods in which something ran.
    package var periods: Int
    /// Periods in which something was held back.
    package var throttled: Int
    /// How long, over all processors.
    package var throttledMs: Double

    /// Makes counts.
    package init(periods: Int = 0, throttled: Int = 0, throttledMs: Double = 0) {
        self.periods = periods
        self.throttled = throttled
        self.throttledMs = throttledMs
    }

    /// What was added since `earlier`.
    package func since(_ earlier: Self) -> Self {
        Self(
            periods: max(0, periods - earlier.periods),
            throttled: max(0, throttled - earlier.throttled),
            throttledMs: max(0, throttledMs - earlier.throttledMs)
        )
    }
}

/// How often memory ran out.
package struct ControlGroupMemoryEvents: Sendable, Hashable, Codable {
    /// How often the limit was met.
    package var limitHits: Int
    /// Processes that the kernel killed.
    package var kills: Int

    /// Makes counts.
    package init(limitHits: Int = 0, kills: Int = 0) {
        self.limitHits = limitHits
        self.kills = kills
    }

    /// What was added since `earlier`.
    package func since(_ earlier: Self) -> Self {
        Self(
            limitHits: max(0, limitHits - earlier.limitHits),
            kills: max(0, kills - earlier.kills)
        )
    }
}

extension ControlGroupPort {
    /// The processor time used so far, in milliseconds over all processors.
    ///
    /// Of a group that was looked up for `cpuacct`.
    package func processorTimeMs(of group: ControlGroup) throws(KernelError) -> Double {
        switch group.version {
        case .v1: try number("cpuacct.usage", of: group) / 1e6
        case .v2: Double(try counts("cpu.stat", of: group)["usage_usec"] ?? 0) / 1000
        }
    }

    /// How often the quota held tasks back so far.
    ///
    /// Of a group that was looked up for `cpu`.
    package func throttling(of group: ControlGroup) throws(KernelError) -> ControlGroupThrottling {
        let counts = try counts("cpu.stat", of: group)
        let time =
            group.version == .v1
            ? Double(counts["throttled_time"] ?? 0) / 1e6
            : Double(counts["throttled_usec"] ?? 0) / 1000
        return ControlGroupThrottling(
            periods: counts["nr_periods"] ?? 0,
            throttled: counts["nr_throttled"] ?? 0,
            throttledMs: time
        )
    }

    /// The memory in use, in bytes, page cache included.
    package func memoryInUse(of group: ControlGroup) throws(KernelError) -> Int {
        let file = group.version == .v1 ? "memory.usage_in_bytes" : "memory.current"
        return Int(try number(file, of: group))
    }

    /// The limit of memory in bytes; nil when there is none.
    package func memoryLimit(of group: ControlGroup) throws(KernelError) -> Int? {
        try limit(group.version == .v1 ? "memory.limit_in_bytes" : "memory.max", of: group)
    }

    /// How often memory ran out so far.
    package func memoryEvents(of group: ControlGroup) throws(KernelError)
        -> ControlGroupMemoryEvents
    {
        guard group.version == .v1 else {
            let counts = try counts("memory.events", of: group)
            return ControlGroupMemoryEvents(
                limitHits: counts["max"] ?? 0,
                kills: counts["oom_kill"] ?? 0
            )
        }
        let kills = try counts("memory.oom_control", of: group)["oom_kill"] ?? 0
        return ControlGroupMemoryEvents(
            limitHits: Int(try number("memory.failcnt", of: group)),
            kills: kills
        )
    }

    /// The tasks in a group and those below it.
    package func tasks(of group: ControlGroup) throws(KernelError) -> Int {
        Int(try number("pids.current", of: group))
    }

    /// The limit of tasks; nil when there is none.
    package func taskLimit(of group: ControlGroup) throws(KernelError) -> Int? {
        try limit("pids.max", of: group)
    }

    /// How often a new task was refused so far.
    package func refusedTasks(of group: ControlGroup) throws(KernelError) -> Int {
        try counts("pids.events", of: group)["max"] ?? 0
    }

    /// A limit in a file that says `max`, or in v1 a number near the greatest, when there is none.
    private func limit(_ file: String, of group: ControlGroup) throws(KernelError) -> Int? {
        let text = try text(file, of: group)
        guard let number = Int(text), number < 0x7fff_ffff_ffff_0000 else { return nil }
        return number
    }

    /// The number that a file is.
    private func number(_ file: String, of group: ControlGroup) throws(KernelError) -> Double {
        let text = try text(file, of: group)
        guard let number = Double(text) else {
            throw KernelError(.failed, "read \(group.folder)/\(file)", "not a number: \(text)")
        }
        return number
    }

    /// The lines `name number` of a file.
    private func counts(_ file: String, of group: ControlGroup) throws(KernelError) -> [String: Int]
    {
        let lines = try text(file, of: group).split(separator: "\n")
        let pairs = lines.compactMap { line -> (String, Int)? in
            let words = line.split(separator: " ")
            guard words.count == 2, let number = Int(words[1]) else { return nil }
            return (String(words[0]), number)
        }
        return Dictionary(pairs) { first, _ in first }
    }

    private func text(_ file: String, of group: ControlGroup) throws(KernelError) -> String {
        guard let text = try read(file, of: group) else {
            throw KernelError(
                .unsupported,
                "read \(group.folder)/\(file)",
                "this kernel's control groups have no such file"
            )
        }
        return String(text.trimmingBlanks)
    }
}

extension String {
    /// The text without blanks and newlines at its ends.
    fileprivate var trimmingBlanks: Substring {
        var text = self[...]
        while text.last?.isWhitespace == true { text.removeLast() }
        while text.first?.isWhitespace == true { text.removeFirst() }
        return text
    }
}
