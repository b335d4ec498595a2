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

    /// The process; nil when /proc did not show it.
    let identity: ProcessIdentity?

    private let child: ReapOnce
    private let input: Int32
    private let writer: LineWriter

    /// Starts a program; the first argument is its name, and its standard error goes to `errorOutput`.
    ///
    /// A worker is started by a thread that lives as long as this process, so that it can end with it.
    package init(
        _ path: String,
        _ arguments: [String],
        errorOutput: Int32,
        isWorker: Bool = false
    ) throws(KernelError) {
        var toChild = try Pipe()
        var fromChild = try Pipe()
        let (input, output) = (toChild.read.number, fromChild.write.number)
        let start = { @Sendable () throws(KernelError) -> pid_t in
            try Spawn.start(
                path,
                arguments,
                input: input,
                output: output,
                error: errorOutput,
                newSession: true
            )
        }
        let pid = isWorker ? try LastingThread.run(start) : try start()
        identity = LinuxProcesses.identity(ofChild: pid)
        let child = ReapOnce(pid: pid)
        self.child = child
        self.input = toChild.write.release()
        let said = fromChild.read.release()
        writer = LineWriter(self.input)
        lines = try LineReader.lines(of: said) {
            close(said)
            child.reap()
        }
    }

    deinit { close(input) }

    /// Sends a line; does nothing once the child is gone.
    package func send(_ line: String) { writer.send(line) }

    /// Ends the child with SIGKILL, unless it has ended.
    package func kill() { child.kill() }

    /// Waits for the end of a child, without keeping this object.
    var ended: @Sendable () async -> ProgramEnd {
        { [child] in await child.ended() }
    }
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
    private struct State {
        var end: ProgramEnd?
        var waiting: [CheckedContinuation<ProgramEnd, Never>] = []
    }

    private let pid: pid_t
    private let state = Mutex(State())

    init(pid: pid_t) { self.pid = pid }

    func reap() {
        var info = siginfo_t()
        // Waits without taking the status away, so that a kill meanwhile still reaches this child.
        while waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) < 0, errno == EINTR {}
        let (end, waiting) = state.withLock { state in
            let end = ProgramEnd(
                waitStatus: Spawn.reap(pid),
                at: LinuxTime().secondsSince1970
            )
            state.end = end
            defer { state.waiting = [] }
            return (end, state.waiting)
        }
        for continuation in waiting { continuation.resume(returning: end) }
    }

    func kill() {
        state.withLock { state in
            if state.end == nil { _ = Glibc.kill(pid, SIGKILL) }
        }
    }

    func ended() async -> ProgramEnd {
        await withCheckedContinuation { continuation in
            let end = state.withLock { state in
                if state.end == nil { state.waiting.append(continuation) }
                return state.end
            }
            if let end { continuation.resume(returning: end) }
        }
    }
}
