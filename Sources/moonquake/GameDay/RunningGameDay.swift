// A GameDay that a schedule started, as seen from outside.

import ChaosLinux
import Synchronization

/// A GameDay that this process started.
final class RunningGameDay: Sendable {
    private struct State {
        var hasBegun = false
        var hasEnded = false
    }

    private let state = Mutex(State())
    private let process: LineProcess
    private let news = AsyncStream.makeStream(of: Void.self)

    /// Reads what it says, so that it never waits for us; its report is what counts.
    init(_ process: LineProcess) {
        self.process = process
        let lines = process.lines
        Task { [weak self, continuation = news.continuation] in
            for await _ in lines {
                self?.state.withLock { $0.hasBegun = true }
                continuation.finish()
            }
            self?.state.withLock { $0.hasEnded = true }
            continuation.finish()
        }
    }

    var hasEnded: Bool { state.withLock { $0.hasEnded } }

    /// Whether it has said something within a time: its first words come when it has its lock.
    func hasBegun(within limit: Duration) async -> Bool {
        let timer = Task { [continuation = news.continuation] in
            try? await Task.sleep(for: limit)
            continuation.finish()
        }
        defer { timer.cancel() }
        for await _ in news.stream {}
        return state.withLock { $0.hasBegun }
    }
}
