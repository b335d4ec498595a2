// A rehearsal finds what a body would do, without doing it.

import ChaosEngine
import ChaosModel
import ChaosScript
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct `Rehearsing a body` {
    private let folder: TestFolder
    private static let good = "inject(fault.noop { target = target.host {} })"

    init() throws { folder = try TestFolder() }

    private func rehearse(_ text: String) async throws -> Rehearsal {
        try await folder.experiment(text).rehearse()
    }

    private func error(_ text: String) async throws -> String? {
        try await rehearse(text).error.map { folder.short("\($0)") }
    }

    @Test
    func `a wrong fault in a late line is found, and the good one before it`() async throws {
        let gap = String(repeating: "\n", count: 9)
        let rehearsal = try await rehearse(
            "\(gap)\(Self.good)\nwait '10m'\(gap)\(gap)\ninject(fault.noop { target = target.netns {} })"
        )
        #expect(rehearsal.faults.map(\.fault) == ["noop"])
        #expect(rehearsal.faults.first?.location?.line == 10)
        #expect(
            rehearsal.error.map { folder.short("\($0)") }
                == "target.netns: name is missing: write name = { \"shop\" } (x.lua:30)"
        )
        #expect(rehearsal.notes == [])
    }

    @Test(.rounds)
    func `it does not wait`() async throws {
        let start = ContinuousClock.now
        let rehearsal = try await rehearse(
            "local from = os.time() wait '10m' if os.time() - from >= 600 then \(Self.good) end"
        )
        #expect(rehearsal.faults.count == 1)
        #expect(ContinuousClock.now - start < .seconds(5), .ofFigure)
    }

    @Test
    func `a loop without end is cut off`() async throws {
        let rehearsal = try await rehearse("\(Self.good) while true do wait '1s' end")
        #expect(rehearsal.faults.count == 1)
        #expect(rehearsal.error == nil)
        #expect(
            rehearsal.notes
                == [
                    "the rehearsal ended after 10000 calls of primitives: what follows was not seen"
                ]
        )
    }

    @Test
    func `a busy loop is cut off`() async throws {
        let rehearsal = try await rehearse("\(Self.good) while true do end")
        #expect(rehearsal.faults.count == 1)
        #expect(rehearsal.notes.count == 1)
        #expect(rehearsal.notes.first?.contains("used up") == true)
    }

    @Test
    func `an error of the script's own is a note`() async throws {
        let rehearsal = try await rehearse(
            "\(Self.good)\nif check_metric(metric.lua { function() return 1 end, above = 3 }).lua > 3 then end"
        )
        #expect(rehearsal.faults.count == 1)
        #expect(rehearsal.error == nil)
        #expect(
            rehearsal.notes.map(folder.short) == [
                "the rehearsal ended early: attempt to compare number with nil (x.lua:2)"
            ]
        )
    }

    @Test
    func `abort ends it with a note`() async throws {
        let rehearsal = try await rehearse("\(Self.good) abort('enough')")
        #expect(rehearsal.faults.count == 1)
        #expect(
            rehearsal.notes
                == ["the rehearsal ended at abort(\"enough\"): what follows was not seen"]
        )
    }

    @Test
    func `a wrong definition is found even when the script catches it`() async throws {
        #expect(
            try await error("pcall(wait, 3) wait '1s'")
                == "wait: the time needs a unit: write \"3s\", got the bare number 3 (x.lua:1)"
        )
    }

    @Test(arguments: [
        (
            "check_metric('p9 < 1s')",
            "check_metric: unknown metric \"p9\"; did you mean \"p99\"? (x.lua:2)"
        ),
        (
            "abort_if('p99 > 5%')",
            "abort_if: the value for p99 must be a duration such as \"300ms\", got \"5%\" (x.lua:2)"
        ),
        (
            "abort_if('p99 > 5')",
            "abort_if: needs a unit: write \"5s\", got the bare number 5 (x.lua:2)"
        ),
        (
            "wait '1s' inject(fault.gpu.stress {})",
            "fault.gpu: unknown; did you mean fault.cpu? (x.lua:2)"
        ),
    ])
    func `a condition must fit what is watched`(call: String, message: String) async throws {
        let metrics =
            "metrics = { p99 = metric.http { url = 'http://h/', measure = 'p99', below = '1s' } }"
        let plain = try await error("steady_state { \(metrics) }\n\(call)")
        #expect(plain?.hasPrefix(message) == true, "\(plain ?? "accepted")")
        let text = "experiment 'x' { steady_state = { \(metrics) }, run = function()\n\(call) end }"
        let inside = try await error(text)
        #expect(inside?.hasPrefix(message) == true, "\(inside ?? "accepted")")
    }

    @Test
    func `what is watched is declared before the first fault`() async throws {
        #expect(
            try await error("\(Self.good)\nsteady_state {}")
                == "steady_state: must come before the first fault (x.lua:2)"
        )
    }

    @Test
    func `a fault in a loop is named once`() async throws {
        let rehearsal = try await rehearse("for _ = 1, 3 do \(Self.good) end")
        #expect(rehearsal.faults.count == 1)
    }

    @Test
    func `a declarative experiment names its faults`() async throws {
        let rehearsal = try await rehearse(
            "experiment 'x' { faults = fault.noop { target = target.host {} }, duration = '1s' }"
        )
        #expect(rehearsal.faults.map(\.fault) == ["noop"])
    }
}
