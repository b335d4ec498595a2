// Lines from a descriptor, read by a thread of their own: reading blocks, and must never hold a thread of
// Swift's pool nor depend on one being free.

package import ChaosModel
import ChaosThreads
import Glibc

/// Reads lines.
package enum LineReader {
    /// The longest line; a longer one ends the stream, since its sender cannot be trusted.
    private static let longestLine = 16 << 20

    /// The lines of a descriptor until its end; `whenDone` is called on the reading thread after the last.
    package static func lines(
        of descriptor: Int32,
        whenDone: @escaping @Sendable () -> Void = {}
    ) throws(KernelError) -> AsyncStream<String> {
        let (stream, continuation) = AsyncStream.makeStream(of: String.self)
        try OwnThread.start {
            read(descriptor) { continuation.yield($0) }
            continuation.finish()
            whenDone()
        }
        return stream
    }

    private static func read(_ descriptor: Int32, each: (String) -> Void) {
        var pending: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while pending.count < longestLine {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            pending += chunk[..<count]
            while let newline = pending.firstIndex(of: 0x0a) {
                each(String(decoding: pending[..<newline], as: UTF8.self))
                pending.removeSubrange(...newline)
            }
        }
    }
}
