import ChaosGameDay
import ChaosModel
import Testing

@Suite
struct ApprovalTests {
    private func day(_ rule: ApprovalRule) -> SimulatedDay {
        var day = SimulatedDay(["a": .held, "b": .held])
        day.definition.approval = rule
        return day
    }

    @Test
    func `two of three people approve, and both are in the audit trail`() async throws {
        let day = day(ApprovalRule(scope: .day, approvers: 2, timeoutMs: 60_000))
        day.answers.onOpen { gate in
            day.answers.answer(gate, "ada")
            day.answers.answer(gate, "ada")
            day.answers.answer(gate, "grace")
        }
        let report = try await day.run()
        #expect(report.passed)
        let gate = try #require(report.gates.first)
        #expect(gate.outcome == "approved")
        #expect(gate.gate.planDigest == report.planDigest)
        #expect(gate.sentence == "the GameDay \"rehearsal\" was approved by ada, grace")
        #expect(day.answers.closed == [gate.gate.id])
    }

    @Test
    func `the same person twice is one approval, and silence is a no`() async throws {
        let day = day(ApprovalRule(scope: .day, approvers: 2, timeoutMs: 50))
        day.answers.onOpen { gate in
            day.answers.answer(gate, "ada")
            day.answers.answer(gate, "ada")
        }
        let report = try await day.run()
        #expect(day.log.all.isEmpty)
        #expect(report.gates[0].outcome == "expired")
        #expect(report.reasons == ["the GameDay \"rehearsal\" was not approved by 2 within 50ms"])
        #expect(report.experiments.map(\.outcome) == [.skipped, .skipped])
        #expect(report.exitCode == ExitCode.aborted.rawValue)
    }

    @Test
    func `one no before the second experiment halts the day`() async throws {
        let day = day(ApprovalRule(scope: .each, approvers: 1, timeoutMs: 60_000))
        day.answers.onOpen { gate in
            day.answers.answer(gate, "ada", gate.subject == "experiment \"a\"")
        }
        let report = try await day.run()
        #expect(day.log.all == ["run a"])
        #expect(report.reasons == ["experiment \"b\" was rejected by ada (\"not today\")"])
    }

    @Test
    func `an approval of another plan does not count`() async throws {
        let day = day(ApprovalRule(scope: .day, approvers: 1, timeoutMs: 50))
        day.answers.onOpen { day.answers.answer($0, "ada", digest: "sha256:other") }
        let report = try await day.run()
        #expect(report.gates[0].outcome == "expired")
    }

    @Test
    func `an experiment that changed after the approval is refused`() async throws {
        let day = day(ApprovalRule(scope: .day, approvers: 1, timeoutMs: 60_000))
        day.answers.onOpen { gate in
            day.experiments.digests["b"] = "sha256:edited"
            day.answers.answer(gate, "ada")
        }
        let report = try await day.run()
        #expect(day.log.all == ["run a"])
        #expect(report.exitCode == ExitCode.definition.rawValue)
        #expect(
            report.reasons[0].hasPrefix(
                "b has changed since the day began (sha256:b then, sha256:edited now)"
            )
        )
    }

    @Test
    func `a GameDay that changed after the approval is refused`() async throws {
        let day = day(ApprovalRule(scope: .day, approvers: 1, timeoutMs: 60_000))
        day.answers.onOpen { gate in
            day.experiments.digests["day"] = "sha256:edited"
            day.answers.answer(gate, "ada")
        }
        let report = try await day.run()
        #expect(day.log.all.isEmpty)
        #expect(report.exitCode == ExitCode.definition.rawValue)
        #expect(
            report.reasons[0].hasPrefix(
                "the GameDay has changed since the day began (sha256:day then, sha256:edited now)"
            )
        )
    }

    @Test
    func `a gate has its end also when the wall clock does not go on`() async throws {
        var day = day(ApprovalRule(scope: .day, approvers: 1, timeoutMs: 50))
        day.time = StoppedWallClock()
        let report = try await day.run()
        #expect(report.gates[0].outcome == "expired")
        #expect(report.status == .halted)
    }

    /// Asks in the same words before each of two experiments.
    private struct AskingTwice: DayBody {
        func run(_ day: any DayControls) async throws(DayHalt) {
            for name in ["a", "b"] {
                try await day.approve("the next one")
                _ = try await day.experiment(.named(name))
            }
        }
        func stop(reason: String) {}
    }

    @Test
    func `an approval is for one gate, also when the next asks in the same words`() async throws {
        var day = SimulatedDay(["a": .held, "b": .never])
        day.body = AskingTwice()
        day.answers.onOpen { [answers = day.answers] gate in answers.answer(gate, "ada") }
        let runner = try await day.runner()
        async let ended = runner.run()
        while !day.log.all.contains("run b") { await Task.yield() }
        let cutOff = try #require(day.store.last)
        await runner.stop("the end of the first process")
        _ = await ended
        #expect(day.answers.opened.map(\.id) == ["day-1-gate1", "day-1-gate2"])

        // Both were given before the day was cut off, and neither is asked for again.
        var again = SimulatedDay(["a": .held, "b": .held])
        again.body = AskingTwice()
        #expect(await (try again.runner(resuming: cutOff)).run().passed)
        #expect(again.answers.opened.isEmpty)
    }

    @Test
    func `stopping the day ends the wait at a gate`() async throws {
        let day = day(ApprovalRule(scope: .day, approvers: 1, timeoutMs: 3_600_000))
        let runner = try await day.runner()
        async let ended = runner.run()
        while day.answers.opened.isEmpty { await Task.yield() }
        while await runner.isWaiting == false { await Task.yield() }
        await runner.stop("interrupted")
        #expect(await ended.experiments.allSatisfy { $0.outcome == .skipped })
    }
}
