// An agent that was killed and has not quite gone: its journal is still locked, for some milliseconds, and who
// recovers in that moment must not conclude that somebody holds it.

import CLinux
import ChaosModel

/// Tells agents that hold a journal from those that are on their way out.
enum DyingAgent {
    /// How long the kernel may take to end a killed process.
    private static let patience = Duration.seconds(2)

    /// Waits until the agent of a journal is gone, if it is dying; returns at once if it lives.
    ///
    /// Its first thread may have ended long before the last one, which is what gives the lock back and what a
    /// pidfd waits for.
    static func awaitEnd(of agent: ProcessIdentity) {
        let number = clinux_pidfd_open(agent.pid)
        guard number >= 0 else { return }
        let handle = Descriptor(number)
        guard isDying(agent) else { return }
        _ = Poll.firstReadable([handle.number], within: patience)
    }

    /// Whether SIGKILL is pending for a process, or it is exiting already.
    private static func isDying(_ agent: ProcessIdentity) -> Bool {
        guard let bytes = try? ProcFile.bytes("/proc/\(agent.pid)/stat"),
            let status = ProcessStatus(stat: bytes), status.startTime == agent.startTime
        else { return false }
        if status.isExiting { return true }
        guard let text = try? ProcFile.text("/proc/\(agent.pid)/status") else { return true }
        let killed: UInt64 = 1 << 8
        return ["SigPnd", "ShdPnd"].contains { name in
            let mask = ProcessStatus.field(name, of: text).flatMap { UInt64($0, radix: 16) } ?? 0
            return mask & killed != 0
        }
    }
}
