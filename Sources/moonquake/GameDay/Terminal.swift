// Lines that are typed. A thread reads them for as long as the program lives, since a read of a terminal cannot be ended.

import ChaosModel
import ChaosThreads
import Glibc
import Synchronization

/// The lines that are typed at the terminal of standard input, each to whoever asked for one last.
enum Terminal {
    private struct State {
        var isReading = false
        var taker: (@Sendable (String?) -> Void)?
    }

    private static let state = Mutex(State())

    /// Calls back with the next line that is typed, or nil when the input ends; an earlier call that still waits gets none.
    ///
    /// What was typed before is lost: an answer must not be older than its question.
    static func nextLine(_ taker: @escaping @Sendable (String?) -> Void) throws(KernelError) {
        tcflush(STDIN_FILENO, TCIFLUSH)
        let isFirst = state.withLock { state in
            state.taker = taker
            defer { state.isReading = true }
            return !state.isReading
        }
        guard isFirst else { return }
        try OwnThread.start {
            while let line = readTypedLine() { take()?(line) }
            state.withLock { $0.isReading = false }
            take()?(nil)
        }
    }

    /// Drops whoever waits for a line.
    static func forget() { _ = take() }

    private static func take() -> (@Sendable (String?) -> Void)? {
        state.withLock { state in
            defer { state.taker = nil }
            return state.taker
        }
    }

    /// A terminal gives one line for each read; nil at Ctrl-D, after which it may be read again, and when it is gone.
    private static func readTypedLine() -> String? {
        var bytes = [UInt8](repeating: 0, count: 4096)
        var count = 0
        repeat {
            count = read(STDIN_FILENO, &bytes, bytes.count)
        } while count < 0 && errno == EINTR
        guard count > 0 else { return nil }
        return String(decoding: bytes[..<count].prefix { $0 != 10 }, as: UTF8.self)
    }
}
