// A child process that speaks lines on its standard input and output, in a session of its own.
//
// The child's input closes when we die, however we die: that is how an agent knows. So the write end of that
// pipe must be nobody else's, which close-on-exec and `Spawn` see to.

package import ChaosModel
import Glibc
import Synchronization

/// A child process that speaks lines.
package final class LineProcess: Sendable {
    /// What it says; ends when it is gone.
    package let lines: AsyncStream<String>

    private let child: ReapOnce
    private let input: Descriptor
    private let writer: LineWriter

    /// Starts a program.
    ///
    /// - Parameters:
    ///   - path: The executable.
    ///   - arguments: Its arguments, its name the first.
    ///   - errorOutput: Where its standard error goes.
    package init(_ path: String, _ arguments: [String], errorOutput: Int32) throws(KernelError) {
        let (childInput, input) = try Self.pipe()
        let (output, childOutput) = try Self.pipe()
        let pid = try Spawn.start(
            path,
            arguments,
            input: childInput.number,
            output: childOutput.number,
            error: errorOutput,
            newSession: true
        )
        self.input = input
        writer = LineWriter(input.number)
        let child = ReapOnce(pid: pid)
        self.child = child
        lines = try LineReader.lines(of: output.number) {
            // The thread keeps the descriptor alive until here.
            withExtendedLifetime(output) { child.reap() }
        }
    }

    /// Sends a line; does nothing once the child is gone.
    package func send(_ line: String) { writer.send(line) }

    /// Ends the child with SIGKILL, unless it has ended.
    package func kill() { child.kill() }

    private static func pipe() throws(KernelError) -> (read: Descriptor, write: Descriptor) {
        var ends: [Int32] = [0, 0]
        guard pipe2(&ends, O_CLOEXEC) == 0 else { throw .system(errno, "make a pipe") }
        return (Descriptor(ends[0]), Descriptor(ends[1]))
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
