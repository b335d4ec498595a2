// Lines that are typed. One thread reads them, for as long as the program lives: a read of a terminal cannot be ended.

import Glibc
import Synchronization

/// The lines of standard input, each to whoever asked for one last.
enum Terminal {
    private struct State {
        var isReading = false
        var taker: (@Sendable (String) -> Void)?
    }

    private static let state = Mutex(State())

    /// Calls back with the next line that is typed; an earlier call that still waits gets none.
    static func nextLine(_ taker: @escaping @Sendable (String) -> Void) {
        let isFirst = state.withLock { state in
            state.taker = taker
            defer { state.isReading = true }
            return !state.isReading
        }
        guard isFirst else { return }
        var thread = pthread_t()
        pthread_create(
            &thread,
            nil,
            { _ in
                while let line = readLine() {
                    Terminal.state.withLock { state in
                        defer { state.taker = nil }
                        return state.taker
                    }?(line)
                }
                return nil
            },
            nil
        )
        pthread_detach(thread)
    }
}
