// /proc/PID/stat and /proc/PID/status as values; no file is read here.
//
// The name in stat is whatever the process chose, blanks and parentheses included, so the fields are counted
// from the last closing parenthesis (proc_pid_stat(5)).

/// What /proc/PID/stat says.
struct ProcessStatus: Equatable {
    // PF_KTHREAD in field 9. The parent proves nothing: in a container pid 2 is a program like any other.
    private static let kernelThreadFlag: UInt64 = 0x0020_0000
    // PF_EXITING and PF_SIGNALED in field 9: it is on its way out.
    private static let exitingFlags: UInt64 = 0x0000_0404

    /// The kernel's short name, without its parentheses.
    var name: String
    /// Field 3.
    var state: Character
    /// Field 4.
    var parent: Int32
    /// Whether it is a thread of the kernel.
    var isKernelThread: Bool
    /// Whether it is on its way out: past its last instruction, or killed.
    var isExiting: Bool
    /// Field 22: clock ticks since boot.
    var startTime: UInt64

    /// Whether it has ended, though its parent has not asked yet.
    var hasEnded: Bool { state == "Z" || state == "X" }

    /// Reads the bytes of the file; nil when they are not of its form.
    init?(stat bytes: [UInt8]) {
        guard let open = bytes.firstIndex(of: UInt8(ascii: "(")),
            let close = bytes.lastIndex(of: UInt8(ascii: ")")), open < close
        else { return nil }
        let rest = String(decoding: bytes[(close + 1)...], as: UTF8.self)
        // Field 3 comes first here.
        let fields = rest.split { $0 == " " || $0 == "\n" }
        guard fields.count >= 20, let state = fields[0].first, let parent = Int32(fields[1]),
            let flags = UInt64(fields[6]), let startTime = UInt64(fields[19])
        else { return nil }
        name = String(decoding: bytes[(open + 1)..<close], as: UTF8.self)
        self.state = state
        self.parent = parent
        isKernelThread = flags & Self.kernelThreadFlag != 0
        isExiting = flags & Self.exitingFlags != 0 || state == "Z" || state == "X"
        self.startTime = startTime
    }

    /// The value of a line of /proc/PID/status; nil when there is no such line.
    static func field(_ name: String, of status: String) -> String? {
        let line = status.split(separator: "\n").first { $0.hasPrefix("\(name):") }
        guard let value = line?.dropFirst(name.count + 1) else { return nil }
        return String(value.drop(while: \.isWhitespace))
    }

    /// The effective user: the second number of the `Uid` line.
    static func effectiveUser(of status: String) -> UInt32? {
        guard let line = field("Uid", of: status) else { return nil }
        let numbers = line.split(whereSeparator: \.isWhitespace)
        return numbers.count > 1 ? UInt32(numbers[1]) : nil
    }
}

/// Lines of /proc/PID/cgroup.
enum ControlGroupFile {
    private struct Line {
        /// The controllers or the name of the hierarchy; empty for v2.
        var hierarchy: Substring
        var isUnified: Bool
        var path: String
    }

    /// The v2 path where it says anything, else the longest v1 path; nil for an empty file.
    static func path(of text: String) -> String? {
        let lines = lines(of: text)
        if let unified = lines.first(where: \.isUnified), unified.path != "/" {
            return unified.path
        }
        // The first of the longest, so that the answer does not hang on the sort.
        return lines.map(\.path).reduce(nil) { best, path in
            path.count > best?.count ?? -1 ? path : best
        }
    }

    /// The path that systemd gave: in its own v1 hierarchy where there is one, else in v2.
    static func servicePath(of text: String) -> String? {
        let lines = lines(of: text)
        let own = lines.first { $0.hierarchy == "name=systemd" && $0.path != "/" }
        return (own ?? lines.first(where: \.isUnified))?.path
    }

    private static func lines(of text: String) -> [Line] {
        text.split(separator: "\n").compactMap { line in
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { return nil }
            return Line(
                hierarchy: parts[1],
                isUnified: parts[0] == "0" && parts[1].isEmpty,
                path: String(parts[2]).withoutDeletedMark
            )
        }
    }
}
