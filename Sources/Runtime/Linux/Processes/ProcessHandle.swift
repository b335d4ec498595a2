// A pidfd: it stays with one process, whatever becomes of the number.
//
// The order is what makes it safe: the handle is opened first and the start time compared after, so that a pid
// that was reused before is noticed, and one that is reused later no longer matters.

import CLinux
import ChaosModel
import Glibc

/// A handle on exactly one process.
struct ProcessHandle: ~Copyable, Sendable {
    /// The pidfd: it can be read when the process has ended.
    let descriptor: Descriptor

    /// Opens a handle; nil when that process has ended or its pid is another's now.
    static func open(
        _ process: ProcessIdentity,
        _ operation: String
    ) throws(KernelError) -> ProcessHandle? {
        guard process.pid > 0 else {
            throw KernelError(.failed, operation, "a process id is at least 1, got \(process.pid)")
        }
        let result = clinux_pidfd_open(process.pid)
        if result == -ESRCH { return nil }
        if result == -ENOSYS {
            throw KernelError(.unsupported, operation, "the kernel has no pidfd: needs Linux 5.3")
        }
        // A thread that is no process: EINVAL, on newer kernels ENOENT.
        if result == -EINVAL || result == -ENOENT { return nil }
        let handle = ProcessHandle(descriptor: try Descriptor(result, operation))
        guard let bytes = try ProcFile.bytes("/proc/\(process.pid)/stat"),
            let status = ProcessStatus(stat: bytes), status.startTime == process.startTime,
            !status.hasEnded
        else { return nil }
        return handle
    }

    /// Sends a signal; false when the process has ended.
    func send(_ signal: Int32, _ operation: String) throws(KernelError) -> Bool {
        switch clinux_pidfd_send_signal(descriptor.number, signal) {
        case 0: return true
        case ESRCH: return false
        case let code:
            throw .system(code, operation, needs: "CAP_KILL, or to run as the process's user")
        }
    }
}
