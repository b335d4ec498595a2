// A child process that speaks lines on its standard input and output, in a session of its own.
//
// The child's input closes when we die, however we die: that is how an agent knows. So the write end of that
// pipe must be nobody else's, which close-on-exec and `Spawn` see to.

import CLinux
package import ChaosModel
import Glibc
import Synchronization

/// A child process that speaks lines.
package final class LineProcess: Sendable {
    /// What it says; ends when it is gone.
    package let lines: AsyncStream<String>

    private let child: ReapOnce
    private let input: Int32
    private let writer: LineWriter

    /// Starts a program; the first argument is its name, and its standard error goes to `errorOutput`.
    package init(_ path: String, _ arguments: [String], errorOutput: Int32) throws(KernelError) {
        var toChild = try Pipe()
        var fromChild = try Pipe()
        let pid = try Spawn.start(
            path,
            arguments,
            input: toChild.read.number,
            output: fromChild.write.number,
            error: errorOutput,
            newSession: true
        )
        let child = ReapOnce(pid: pid)
        self.child = child
        input = toChild.write.release()
        let output = fromChild.read.release()
        writer = LineWriter(input)
        lines = try LineReader.lines(of: output) {
            close(output)
            child.reap()
        }
    }

    deinit { close(input) }

    /// Sends a line; does nothing once the child is gone.
    package func send(_ line: String) { writer.send(line) }

    /// Ends the child with SIGKILL, unless it has ended.
    package func kill() { child.kill() }
}

/// The two ends of a pipe.
private struct Pipe: ~Copyable {
    var read: Descriptor
    var write: Descriptor

    init() throws(KernelError) {
        var ends: [Int32] = [0, 0]
        let code = clinux_pipe(&ends)
        guard code == 0 else { throw .system(code, "make a pipe") }
        read = Descriptor(ends[0])
        write = Descriptor(ends[1])
    }
}

/// A child that is waited for once, so that its pid is never signalled after it was given away.
private final class ReapOnce: Sendable {
    private let pid: pid_t
    private let isReaped = Mutex(false)

    init(pid: pid_t) { self.pid = pid }

    func reap() {
        var info = siginfo_t()
        // Waits without taking the status away, so that a kill meanwhile still reaches this child.
        while waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) < 0, errno == EINTR {}
        isReaped.withLock { isReaped in
            Spawn.reap(pid)
            isReaped = true
        }
    }

    func kill() {
        isReaped.withLock { isReaped in
            if !isReaped { _ = Glibc.kill(pid, SIGKILL) }
        }
    }
}
