// Lines to a descriptor, written in order by a queue of their own: a reader that does not read (a stopped
// runner, a full terminal) must never hold up a rollback.

import Dispatch
import Glibc

/// Writes lines.
package final class LineWriter: Sendable {
    private let descriptor: Int32
    private let queue = DispatchQueue(label: "moonquake.lines")

    /// Writes to a descriptor, which stays the caller's; from now on SIGPIPE is ignored, or a reader that is gone would
    /// end this process.
    package init(_ descriptor: Int32) {
        self.descriptor = descriptor
        signal(SIGPIPE, SIG_IGN)
    }

    /// Writes a line and returns at once; a reader that is gone is no error.
    package func send(_ line: String) {
        queue.async { [descriptor] in Self.write(Array((line + "\n").utf8), to: descriptor) }
    }

    /// Waits until everything is written, at most for `seconds`.
    package func flush(atMost seconds: Double) {
        let done = DispatchSemaphore(value: 0)
        queue.async { done.signal() }
        _ = done.wait(timeout: .now() + seconds)
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                Glibc.write(descriptor, buffer.baseAddress.map { $0 + done }, bytes.count - done)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            done += count
        }
    }
}
