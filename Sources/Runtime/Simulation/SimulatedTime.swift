// A clock that goes on only when told: by `advance`, by `advanceToNext`, or by whoever sleeps. Who sleeps until the same
// moment wakes in the order of falling asleep.

package import ChaosModel
import Synchronization

/// A clock in memory.
package final class SimulatedTime: TimePort, Sendable {
    private struct Sleeper {
        var wakesAt: Instant
        var continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var now = Instant(nanoseconds: 1_000_000_000)
        var nextID = 0
        var sleepers: [Int: Sleeper] = [:]
    }

    private let state = Mutex(State())
    private let advancesBySleeping: Bool

    /// Makes a clock.
    ///
    /// - Parameter advancesBySleeping: Whether a sleep moves the clock instead of waiting for `advance`.
    package init(advancesBySleeping: Bool) { self.advancesBySleeping = advancesBySleeping }

    package var now: Instant { state.withLock { $0.now } }

    package var secondsSince1970: Double { 1.7e9 + Double(now.nanoseconds) / 1e9 }

    /// How many are asleep.
    package var sleepers: Int { state.withLock { $0.sleepers.count } }

    /// Moves the clock and wakes those whose time has come, earliest first.
    package func advance(by span: Duration) {
        let due = state.withLock { state in
            state.now = state.now.advanced(by: span)
            return Self.wake(&state)
        }
        for sleeper in due { sleeper.continuation.resume() }
    }

    /// Moves the clock to the next moment at which somebody wakes; false when nobody sleeps.
    package func advanceToNext() -> Bool {
        let due = state.withLock { state in
            guard let next = state.sleepers.values.map(\.wakesAt).min() else { return [Sleeper]() }
            state.now = max(state.now, next)
            return Self.wake(&state)
        }
        for sleeper in due { sleeper.continuation.resume() }
        return !due.isEmpty
    }

    /// Takes out those whose time has come.
    private static func wake(_ state: inout State) -> [Sleeper] {
        let now = state.now
        let due = state.sleepers.filter { $0.value.wakesAt <= now }
        for id in due.keys { state.sleepers[id] = nil }
        return due.sorted { ($0.value.wakesAt, $0.key) < ($1.value.wakesAt, $1.key) }.map(\.value)
    }

    package func sleep(until instant: Instant) async throws {
        if advancesBySleeping {
            state.withLock { $0.now = max($0.now, instant) }
            await Task.yield()
            try Task.checkCancellation()
            return
        }
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let isDue = state.withLock { state in
                    guard instant > state.now, !Task.isCancelled else { return true }
                    state.sleepers[id] = Sleeper(wakesAt: instant, continuation: continuation)
                    return false
                }
                guard isDue else { return }
                if Task.isCancelled {
                    continuation.resume(throwing: CancellationError())
                } else {
                    continuation.resume()
                }
            }
        } onCancel: {
            let sleeper = state.withLock { $0.sleepers.removeValue(forKey: id) }
            sleeper?.continuation.resume(throwing: CancellationError())
        }
    }
}
