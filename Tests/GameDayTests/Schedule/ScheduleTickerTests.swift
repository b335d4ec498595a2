import ChaosGameDay
import ChaosModel
import Foundation
import Testing

@Suite
struct ScheduleTickerTests {
    private func daemon(
        _ options: [String: ParameterValue],
        runTime: TimeInterval = 0,
        seed: UInt64 = 1
    ) throws -> VirtualDaemon {
        var daemon = VirtualDaemon(
            try Schedule(options),
            from: try date("2026-11-25T00:00:00Z"),
            seed: seed
        )
        daemon.runTime = runTime
        return daemon
    }

    @Test
    func `without a policy a run that is still going on skips the next, and the one after fires`()
        throws
    {
        var daemon = try daemon(["every": .string("1m")], runTime: 70)
        try daemon.run(until: daemon.now.addingTimeInterval(240))
        #expect(daemon.fired.count == 2)
        let skips = daemon.events.filter {
            if case .skipped(_, "the run before still goes on") = $0 { true } else { false }
        }
        #expect(skips.count == 2)
    }

    @Test
    func `an interval longer than its runs fires each time`() throws {
        var daemon = try daemon(["every": .string("30s")], runTime: 20)
        try daemon.run(until: daemon.now.addingTimeInterval(300))
        #expect(daemon.fired.count == 10)
    }

    @Test
    func `waiting for the run before fires once when it has ended`() throws {
        var daemon = try daemon(["every": .string("1m"), "overlap": .string("wait")], runTime: 150)
        try daemon.run(until: daemon.now.addingTimeInterval(215))
        #expect(daemon.fired.count == 2)
        #expect(daemon.events.count == 2)
    }

    @Test
    func `nineteen days away make one run, or none`() throws {
        var daemon = try daemon(["every": .string("day"), "at": .string("10:00")])
        try daemon.run(until: daemon.now.addingTimeInterval(86400))
        daemon.now = daemon.now.addingTimeInterval(19 * 86400)
        try daemon.run(until: daemon.now.addingTimeInterval(3600))
        #expect(daemon.events.count == 2)
        guard case .fired(_, let missed) = daemon.events[1] else {
            return #expect(Bool(false), "did not fire")
        }
        #expect(missed == 18)

        var none = try self.daemon([
            "every": .string("day"), "at": .string("10:00"), "missed": .string("none"),
        ])
        none.now = none.now.addingTimeInterval(19 * 86400)
        try none.run(until: none.now.addingTimeInterval(3600))
        #expect(none.fired.isEmpty)
        #expect(none.events.count == 1)
    }

    @Test
    func `a missed run is not made up for outside of the window`() throws {
        var daemon = try daemon([
            "every": .string("day"), "at": .string("10:00"), "only_between": .string("09:00-16:00"),
        ])
        daemon.now = daemon.now.addingTimeInterval(20 * 3600)
        _ = try daemon.look()
        let due = try date("2026-11-25T10:00:00Z")
        let reason = "it is outside of the window and days of its schedule now"
        #expect(daemon.events == [.skipped(due, reason: reason)])
    }

    @Test
    func `a clock set back does not fire again`() throws {
        var daemon = try daemon(["every": .string("day"), "at": .string("10:00")])
        try daemon.run(until: daemon.now.addingTimeInterval(11 * 3600))
        daemon.now = daemon.now.addingTimeInterval(-4 * 3600)
        try daemon.run(until: daemon.now.addingTimeInterval(5 * 3600))
        #expect(daemon.fired.count == 1)
    }

    /// How much later than due each start of some days is.
    private func delays(_ daemon: VirtualDaemon, days: Double) throws -> [TimeInterval] {
        var daemon = daemon
        var delays: [TimeInterval] = []
        let end = daemon.now.addingTimeInterval(days * 86400)
        while daemon.now < end {
            let before = daemon.events.count
            let next = try #require(try daemon.look())
            if daemon.events.count > before, case .fired(let due, _) = daemon.events[before] {
                delays.append(daemon.now.timeIntervalSince(due))
            }
            daemon.now = max(next, daemon.now)
        }
        return delays
    }

    @Test
    func `jitter moves no start out of its window`() throws {
        let daemon = try daemon([
            "every": .string("day"), "at": .string("15:00"), "only_between": .string("09:00-16:00"),
            "jitter": .string("6h"),
        ])
        let delays = try delays(daemon, days: 60)
        #expect(delays.count == 60)
        #expect(Set(delays).count > 50)
        #expect(delays.allSatisfy { (0..<3600).contains($0) })
    }

    @Test
    func `jitter moves a start by chance, within its bound, the same for one seed`() throws {
        let options: [String: ParameterValue] = [
            "every": .string("day"), "at": .string("10:00"), "jitter": .string("10%"),
        ]
        let first = try delays(try daemon(options, seed: 7), days: 30)
        #expect(first.count == 30)
        #expect(first.allSatisfy { (0...8640).contains($0) })
        #expect(Set(first).count > 25)
        #expect(try delays(try daemon(options, seed: 7), days: 30) == first)
        #expect(try delays(try daemon(options, seed: 8), days: 30) != first)
    }
}
