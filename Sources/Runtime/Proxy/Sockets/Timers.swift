// What is to happen later, in order of time; what is due at the same time goes in the order that it came.

import NIOCore

/// The timers of one loop: a heap.
final class Timers {
    private struct Entry {
        var due: NIODeadline
        var number: UInt64
        var body: () -> Void

        func isBefore(_ other: Entry) -> Bool {
            due == other.due ? number < other.number : due < other.due
        }
    }

    private let now: () -> NIODeadline
    private var entries: [Entry] = []
    private var count: UInt64 = 0

    /// Makes a list without timers; `now` is the clock.
    init(now: @escaping () -> NIODeadline = { .now() }) { self.now = now }

    /// The time that they go by.
    var time: NIODeadline { now() }

    /// Runs something later.
    func after(_ delay: TimeAmount, _ body: @escaping () -> Void) {
        count += 1
        entries.append(Entry(due: now() + delay, number: count, body: body))
        var at = entries.count - 1
        while at > 0, entries[at].isBefore(entries[(at - 1) / 2]) {
            entries.swapAt(at, (at - 1) / 2)
            at = (at - 1) / 2
        }
    }

    /// Runs what is due; returns the milliseconds until the next, rounded up, or nil when there is none.
    func runDue() -> Int64? {
        guard !entries.isEmpty else { return nil }
        let time = now()
        while let first = entries.first, first.due <= time {
            removeFirst()
            first.body()
        }
        return entries.first.map { max(0, ($0.due - now()).nanoseconds + 999_999) / 1_000_000 }
    }

    private func removeFirst() {
        entries.swapAt(0, entries.count - 1)
        entries.removeLast()
        var at = 0
        while true {
            var least = at
            for child in [2 * at + 1, 2 * at + 2] where child < entries.count {
                if entries[child].isBefore(entries[least]) { least = child }
            }
            guard least != at else { return }
            entries.swapAt(at, least)
            at = least
        }
    }
}
