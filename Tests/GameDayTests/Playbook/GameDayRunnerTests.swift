import ChaosGameDay
import ChaosModel
import Testing

@Suite
struct GameDayRunnerTests {
    @Test
    func `every experiment held: the day passed`() async throws {
        var day = SimulatedDay(["a": .held, "b": .held])
        day.health = ScriptedHealth(log: day.log)
        let report = try await day.run()
        #expect(report.passed && report.status == .completed && report.exitCode == 0)
        #expect(day.log.all == ["health", "run a", "health", "run b"])
        #expect(report.experiments.map(\.outcome) == [.held, .held])
        #expect(
            report.experiments.map(\.reportFile) == ["runs/run-of-a.json", "runs/run-of-b.json"]
        )
        #expect(report.timeline.contains { $0.runID == "run-of-b" && $0.kind == "started" })
        #expect(day.store.last?.experiments == report.experiments)
    }

    @Test
    func `a deviated experiment fails the day and the others still run`() async throws {
        let day = SimulatedDay(["a": .deviated, "b": .held])
        let report = try await day.run()
        #expect(!report.passed && report.status == .completed && report.exitCode == 1)
        #expect(day.log.all == ["run a", "run b"])
        #expect(report.reasons == ["\"a\" deviated: a ended so"])
    }

    @Test(arguments: [(ScriptedExperiments.End.aborted, ExitCode.aborted), (.leaked, .leaked)])
    func `a safety abort or a leak halts the day and the rest is skipped`(
        _ end: ScriptedExperiments.End,
        _ code: ExitCode
    ) async throws {
        let day = SimulatedDay(["a": .held, "b": end, "c": .held, "d": .held])
        let report = try await day.run()
        #expect(report.status == .halted && report.exitCode == code.rawValue)
        #expect(day.log.all == ["run a", "run b"])
        #expect(report.experiments.map(\.outcome).suffix(2) == [.skipped, .skipped])
        #expect(report.experiments[3].reason.hasPrefix("experiment \"b\""))
        #expect(report.reasons.count == 1)
    }

    @Test
    func `an experiment that cannot run fails and the day goes on, with its code`() async throws {
        let report = try await SimulatedDay(["a": .failed, "b": .held]).run()
        #expect(report.experiments.map(\.outcome) == [.failed, .held])
        #expect(report.exitCode == ExitCode.unavailable.rawValue)
    }

    @Test
    func `a system that does not recover halts the day`() async throws {
        var day = SimulatedDay(["a": .held])
        day.health = ScriptedHealth(log: day.log, problem: "p99 is 2s, must be below 300ms")
        let report = try await day.run()
        #expect(day.log.all == ["health"])
        #expect(report.reasons == ["not healthy before \"a\": p99 is 2s, must be below 300ms"])
        #expect(report.exitCode == ExitCode.aborted.rawValue)
    }

    @Test
    func `stopping the day stops the experiment that runs, and skips the rest`() async throws {
        let day = SimulatedDay(["a": .never, "b": .held])
        let runner = try await day.runner()
        async let ended = runner.run()
        while !day.log.all.contains("run a") { await Task.yield() }
        await runner.stop("interrupted")
        let report = await ended
        #expect(day.log.all == ["run a", "stop a: interrupted"])
        #expect(report.experiments.map(\.outcome) == [.aborted, .skipped])
        #expect(report.exitCode == ExitCode.interrupted.rawValue)
    }

    @Test
    func `a stop while an experiment is looked at keeps it from running`() async throws {
        var day = SimulatedDay(["a": .held, "b": .held])
        let (reached, reach) = AsyncStream.makeStream(of: Void.self)
        let (allowed, allow) = AsyncStream.makeStream(of: Void.self)
        day.experiments.moment = { [log = day.log] moment in
            // Each is looked at once more before it runs.
            guard moment == "look b", log.all.contains("run a") else { return }
            reach.finish()
            for await _ in allowed {}
        }
        let runner = try await day.runner()
        async let ended = runner.run()
        for await _ in reached {}
        await runner.stop("interrupted")
        allow.finish()
        let report = await ended
        #expect(day.log.all == ["run a"])
        #expect(report.experiments.map(\.outcome) == [.held, .skipped])
        #expect(report.exitCode == ExitCode.interrupted.rawValue)
    }

    @Test
    func `the time line is in the order of time, also when the day is stopped in a run`()
        async throws
    {
        let day = SimulatedDay(["a": .never])
        let runner = try await day.runner()
        async let ended = runner.run()
        while !day.log.all.contains("run a") { await Task.yield() }
        await runner.stop("interrupted")
        let timeline = await ended.timeline
        #expect(timeline.contains { $0.runID != nil } && timeline.contains { $0.runID == nil })
        #expect(timeline.map(\.at) == timeline.map(\.at).sorted())
    }

    @Test
    func `stopping the day ends a pause`() async throws {
        var day = SimulatedDay(["a": .held, "b": .held])
        day.definition.pauseMs = 3_600_000
        let runner = try await day.runner()
        async let ended = runner.run()
        while !day.log.all.contains("run a") { await Task.yield() }
        while await runner.isWaiting == false { await Task.yield() }
        await runner.stop("interrupted")
        #expect(await ended.experiments.map(\.outcome) == [.held, .skipped])
    }

    @Test
    func `a day that was cut off goes on after the last experiment that ended`() async throws {
        let day = SimulatedDay(["a": .held, "b": .never, "c": .held])
        let runner = try await day.runner()
        async let ended = runner.run()
        while !day.log.all.contains("run b") { await Task.yield() }
        let cutOff = try #require(day.store.last)
        await runner.stop("the end of the first process")
        _ = await ended

        let again = SimulatedDay(["a": .held, "b": .held, "c": .held])
        let report = await (try again.runner(resuming: cutOff)).run()
        #expect(again.log.all == ["run b", "run c"])
        #expect(report.experiments.map(\.outcome) == [.held, .held, .held])
        #expect(report.passed)
    }

    @Test
    func `a day that is cut off twice knows what had ended before the first time`() async throws {
        func cut(_ ends: KeyValuePairs<String, ScriptedExperiments.End>, _ earlier: GameDayReport?)
            async throws -> GameDayReport
        {
            let day = SimulatedDay(ends)
            let runner = try await day.runner(resuming: earlier)
            async let ended = runner.run()
            while !day.log.all.contains("run b") { await Task.yield() }
            let kept = try #require(day.store.last)
            await runner.stop("the end of the process")
            _ = await ended
            return kept
        }
        let first = try await cut(["a": .held, "b": .never], nil)
        let second = try await cut(["a": .leaked, "b": .never], first)
        #expect(second.experiments.map(\.title) == ["a"])
        let third = SimulatedDay(["a": .leaked, "b": .held])
        let report = await (try third.runner(resuming: second)).run()
        #expect(third.log.all == ["run b"])
        #expect(report.passed)
    }

    @Test
    func
        `a day that was cut off before it could halt halts, and one that ends early keeps its rows`()
        async throws
    {
        var earlier = try await SimulatedDay(["a": .held, "b": .aborted, "c": .held]).run()
        earlier.status = .running
        earlier.experiments.removeLast()
        let again = SimulatedDay(["a": .held, "b": .held, "c": .held])
        let report = await (try again.runner(resuming: earlier)).run()
        #expect(again.log.all.isEmpty)
        #expect(report.experiments.map(\.outcome) == [.held, .aborted, .skipped])
        #expect(report.exitCode == ExitCode.aborted.rawValue)

        let stopped = try await again.runner(resuming: earlier)
        await stopped.stop("interrupted")
        #expect(await stopped.run().experiments.map(\.outcome) == [.held, .aborted, .skipped])
    }

    @Test
    func `a body in another order cannot go on where another was cut off`() async throws {
        let first = try await SimulatedDay(["a": .held, "b": .aborted]).run()
        let report = await (try SimulatedDay(["b": .held, "a": .held]).runner(resuming: first))
            .run()
        #expect(report.exitCode == ExitCode.definition.rawValue)
        #expect(
            report.reasons[0] == "the day cannot go on: a ran at this place before, b is there now"
        )
    }

    @Test
    func `a function drives the day, and what it leaves out is skipped`() async throws {
        struct Body: DayBody {
            func run(_ day: any DayControls) async throws(DayHalt) {
                await day.observe("the queue is empty")
                let row = try await day.experiment(.named("b"))
                try await day.pause(.milliseconds(1))
                if row.outcome == .deviated { await day.observe("as feared") }
            }
            func stop(reason: String) {}
        }
        var day = SimulatedDay(["a": .held, "b": .deviated])
        day.body = Body()
        let report = try await day.run()
        #expect(
            report.timeline.filter { $0.kind == "observation" }.map(\.text) == [
                "the queue is empty", "as feared",
            ]
        )
        #expect(report.experiments.map(\.title) == ["b", "a"])
        #expect(report.experiments[1].reason == "the GameDay's function did not run it")
        #expect(!report.passed)
    }

    @Test
    func `notices go out before the start, at each gate, on an abort and at the end`() async throws
    {
        var day = SimulatedDay(["a": .held, "b": .aborted, "c": .held])
        day.definition.approval = ApprovalRule(scope: .each, approvers: 1, timeoutMs: 60_000)
        let log = DayLog()
        day.senders = [("log", LoggingSender(log: log))]
        day.answers.onOpen { [answers = day.answers] gate in answers.answer(gate, "ada") }
        let report = try await day.run()
        #expect(
            log.all == ["tell starting", "tell gate", "tell gate", "tell aborted", "tell ended"]
        )
        #expect(report.notifications.map(\.kind) == [.starting, .gate, .gate, .aborted, .ended])
        #expect(report.notifications.allSatisfy { $0.failure == nil && $0.attempts == 1 })
    }

    @Test
    func `an abort is told when it begins, once, and one by a person too`() async throws {
        var day = SimulatedDay(["a": .aborted])
        let told = DayLog()
        day.senders = [("log", LoggingSender(log: told))]
        day.experiments.moment = { moment in
            // The run goes on until people know.
            while moment == "abort a", !told.all.contains("tell aborted") { await Task.yield() }
        }
        let report = try await day.run()
        #expect(told.all == ["tell starting", "tell aborted", "tell ended"])
        #expect(report.status == .halted)

        var other = SimulatedDay(["a": .never])
        let log = DayLog()
        other.senders = [("log", LoggingSender(log: log))]
        let runner = try await other.runner()
        async let ended = runner.run()
        while !other.log.all.contains("run a") { await Task.yield() }
        await runner.stop("interrupted")
        _ = await ended
        #expect(log.all == ["tell starting", "tell aborted", "tell ended"])
    }

    @Test
    func `there is a pause between two experiments, and none before the first`() async throws {
        var day = SimulatedDay(["a": .held, "b": .held])
        day.definition.pauseMs = 120
        let began = ContinuousClock.now
        let runner = try await day.runner()
        async let ended = runner.run()
        while !day.log.all.contains("run a") { await Task.yield() }
        let first = began.duration(to: .now)
        while !day.log.all.contains("run b") { await Task.yield() }
        #expect(began.duration(to: .now) - first >= .milliseconds(100))
        #expect(await ended.passed)
    }
}
