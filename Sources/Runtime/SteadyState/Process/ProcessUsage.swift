// What a process uses, read from /proc (proc(5)). Reading is harmless and needs no kernel port; that the pid is
// still that process is checked by the start time in the same read.

import ChaosModel
import Glibc
import SystemPackage

/// What /proc/PID/stat says of a process.
struct ProcessStat: Sendable, Hashable {
    /// The state letter.
    let state: Character
    /// Field 22, in clock ticks since boot.
    let startTime: UInt64
    /// Time on the processor, user and system, in clock ticks.
    let ticks: UInt64

    /// Reads a line of /proc/PID/stat; the name may contain anything, so the fields begin after the last `)`.
    init?(parsing text: String) {
        guard let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 19, let state = fields[0].first, let user = UInt64(fields[11]),
            let system = UInt64(fields[12]), let start = UInt64(fields[19])
        else { return nil }
        self.state = state
        startTime = start
        ticks = user &+ system
    }

    /// Whether it still runs: a zombie has ended and only waits to be reaped.
    var isAlive: Bool { state != "Z" && state != "X" }
}

/// Reads /proc.
enum ProcessUsage {
    static let ticksPerSecond = Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
    static let pageSize = Double(max(1, sysconf(Int32(_SC_PAGESIZE))))

    /// The state of a process; nil when it has ended or its pid is another's now.
    static func stat(of process: ProcessIdentity) throws(Errno) -> ProcessStat? {
        guard let text = try read("/proc/\(process.pid)/stat"),
            let stat = ProcessStat(parsing: text), stat.startTime == process.startTime,
            stat.isAlive
        else { return nil }
        return stat
    }

    /// The resident memory in bytes; nil when the process is gone.
    static func residentBytes(of process: ProcessIdentity) throws(Errno) -> Double? {
        guard let text = try read("/proc/\(process.pid)/statm") else { return nil }
        let fields = text.split(separator: " ")
        guard fields.count > 1, let pages = Double(fields[1]) else { return nil }
        return pages * pageSize
    }

    /// The number of open files; nil when the process is gone.
    static func openFiles(of process: ProcessIdentity) throws(Errno) -> Double? {
        guard let directory = opendir("/proc/\(process.pid)/fd") else {
            let reason = Errno(rawValue: errno)
            if reason == .noSuchFileOrDirectory || reason == .noSuchProcess { return nil }
            throw reason
        }
        defer { closedir(directory) }
        var count = 0
        while readdir(directory) != nil { count += 1 }
        return Double(max(0, count - 2))
    }

    /// A small file as text; nil when the process is gone.
    private static func read(_ path: String) throws(Errno) -> String? {
        do {
            let file = try FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec)
            var buffer = [UInt8](repeating: 0, count: 4096)
            let result = Result { try buffer.withUnsafeMutableBytes { try file.read(into: $0) } }
            try file.close()
            return String(decoding: buffer.prefix(try result.get()), as: UTF8.self)
        } catch let error as Errno {
            if error == .noSuchFileOrDirectory || error == .noSuchProcess { return nil }
            throw error
        } catch {
            return nil
        }
    }
}
