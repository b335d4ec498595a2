// Something that can be taken once, by whoever comes first.

import Synchronization

/// A flag that the first taker gets.
final class OnceFlag: Sendable {
    private let isTaken = Atomic(false)

    /// True for the first caller only.
    func take() -> Bool { !isTaken.exchange(true, ordering: .relaxed) }
}
