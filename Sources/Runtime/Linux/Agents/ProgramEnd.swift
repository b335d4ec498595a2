// How a child of ours ended, in words that name the signal.

import Glibc

/// The end of a program.
package struct ProgramEnd: Sendable, Hashable {
    /// Seconds since 1970, UTC.
    package var at: Double
    /// The exit status; nil when a signal ended it.
    package var status: Int32?
    /// The signal that ended it.
    package var signal: Int32?

    /// Reads a wait status.
    init(waitStatus: Int32, at seconds: Double) {
        at = seconds
        let number = waitStatus & 0x7f
        status = number == 0 ? (waitStatus >> 8) & 0xff : nil
        signal = number == 0 ? nil : number
    }

    private static let names: [Int32: String] = [
        SIGHUP: "SIGHUP", SIGINT: "SIGINT", SIGQUIT: "SIGQUIT", SIGILL: "SIGILL",
        SIGABRT: "SIGABRT", SIGBUS: "SIGBUS", SIGFPE: "SIGFPE", SIGKILL: "SIGKILL",
        SIGSEGV: "SIGSEGV", SIGPIPE: "SIGPIPE", SIGTERM: "SIGTERM", SIGXCPU: "SIGXCPU",
        SIGTRAP: "SIGTRAP",
    ]

    /// `killed by signal 9 (SIGKILL)`, or `ended with exit status 3`.
    package var seen: String {
        guard let signal else { return "ended with exit status \(status ?? 0)" }
        let name = Self.names[signal].map { " (\($0))" } ?? ""
        return "killed by signal \(signal)\(name)"
    }
}
