// The end of a rule, seen by the requests that it hit: what it still keeps back of them goes on.

import NIOCore
import Synchronization

/// Whether a rule has been taken away.
final class RuleEnd: Sendable {
    private let flag = Atomic(false)

    var hasCome: Bool { flag.load(ordering: .relaxed) }

    func come() { flag.store(true, ordering: .relaxed) }
}

/// The delays of one request, each for as long as its rule is there.
struct Delays {
    private var parts: [(time: TimeAmount, end: RuleEnd)] = []

    mutating func add(_ time: TimeAmount, until end: RuleEnd) { parts.append((time, end)) }

    /// How long the answer is kept back in all.
    var total: TimeAmount {
        parts.reduce(.zero) { $1.end.hasCome ? $0 : $0 + $1.time }
    }
}
