// Runs a system tool to its end: arguments, text on standard input, everything it said, a time-out.
//
// Input and output are files in memory, not pipes: the tool can never block on us, nor we on it.

import CLinux
import ChaosModel
import Glibc

/// A program of the system.
struct Tool: Sendable {
    /// What a tool said.
    struct Answer: Sendable {
        /// The exit status; nil when a signal ended it.
        var status: Int32?
        /// Standard output.
        var output: String
        /// Standard error.
        var error: String

        /// What to tell the user about a failure.
        var reason: String {
            let lines = error.split(separator: "\n").prefix(3).joined(separator: "; ")
            let end = status.map { "exit status \($0)" } ?? "ended by a signal"
            return lines.isEmpty ? end : "\(lines) (\(end))"
        }
    }

    private static let outputLimit = 64 << 20
    // Tools print what we parse: a language or a preload of the user must not change it.
    private static let environment = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"]

    /// Its file.
    let path: String

    /// Finds a tool on PATH or in the system's folders; nil when it is not installed.
    init?(named name: String) {
        guard let path = Spawn.executable(name) else { return nil }
        self.path = path
    }

    /// Runs it in the namespaces of the calling thread and waits, blocking; kills it after `limit`.
    func run(
        _ arguments: [String],
        input: String = "",
        limit: Duration = .seconds(20)
    ) throws(KernelError) -> Answer {
        let operation = ([path] + arguments).joined(separator: " ")
        let standardInput = try Descriptor(clinux_memory_file(), operation)
        let output = try Descriptor(clinux_memory_file(), operation)
        let error = try Descriptor(clinux_memory_file(), operation)
        try standardInput.writeAll(Array(input.utf8), operation)
        lseek(standardInput.number, 0, SEEK_SET)
        let pid = try Spawn.start(
            path,
            [path] + arguments,
            environment: Self.environment,
            input: standardInput.number,
            output: output.number,
            error: error.number,
            newSession: true
        )
        let inTime = Self.wait(for: pid, limit: limit)
        // Our child, not reaped yet: the pid can be nobody else's.
        if !inTime { kill(pid, SIGKILL) }
        let status = Spawn.reap(pid)
        guard inTime else {
            throw KernelError(.failed, operation, "not done after \(limit.spelled), killed")
        }
        lseek(output.number, 0, SEEK_SET)
        lseek(error.number, 0, SEEK_SET)
        return Answer(
            status: status & 0x7f == 0 ? (status >> 8) & 0xff : nil,
            output: String(
                decoding: try output.readAll(operation, limit: Self.outputLimit),
                as: UTF8.self
            ),
            error: String(
                decoding: try error.readAll(operation, limit: Self.outputLimit),
                as: UTF8.self
            )
        )
    }

    /// Whether a child ended within `limit`; a kernel without pidfd_open waits without a limit.
    private static func wait(for pid: pid_t, limit: Duration) -> Bool {
        let result = clinux_pidfd_open(pid)
        guard result >= 0 else { return true }
        let handle = Descriptor(result)
        return Poll.firstReadable([handle.number], within: limit) != nil
    }
}
