// When a share of traffic that was hit is more than chance explains.

import ChaosModel
import Testing

struct TrafficShareTests {
    /// Declared, matched, and the fewest hits that are too many; nil when not even all of them are.
    static let limits: [(declared: Double, matched: UInt64, tooMany: UInt64?)] = [
        (0.1, 0, nil), (0.1, 1, nil), (0.1, 2, nil), (0.1, 5, nil), (0.05, 5, 5),
        (0.1, 20, 12), (0.1, 100, 29), (0.1, 1000, 154), (0.5, 1000, 583), (0.1, 10_000, 1162),
        (0, 1, 1), (0, 1000, 1), (1, 1000, nil),
    ]

    @Test(arguments: limits)
    func `what chance explains is no excess, what it does not is`(
        _ limit: (declared: Double, matched: UInt64, tooMany: UInt64?)
    ) {
        let first = (0...limit.matched).first { hit in
            TrafficShare(.connections, matched: limit.matched, hit: hit).exceeds(limit.declared)
        }
        #expect(first == limit.tooMany)
    }

    @Test
    func `a true share is hardly ever an excess in ten thousand runs`() {
        var generator = SeededGenerator(seed: 7)
        var excesses = 0
        for _ in 0..<10_000 {
            let hit = (0..<50).count { _ in Double.random(in: 0..<1, using: &generator) < 0.1 }
            let share = TrafficShare(.requests, matched: 50, hit: UInt64(hit))
            if share.exceeds(0.1) { excesses += 1 }
        }
        #expect(excesses == 0)
    }

    @Test
    func `shares add up only where they count the same`() {
        let some = TrafficShare(.packets, matched: 10, hit: 2)
        #expect(
            some + TrafficShare(.packets, matched: 5, hit: 5)
                == TrafficShare(.packets, matched: 15, hit: 7)
        )
        #expect(some + TrafficShare(.requests, matched: 5, hit: 5) == nil)
        #expect(TrafficShare(.packets, matched: 0, hit: 0).share == 0)
    }
}
