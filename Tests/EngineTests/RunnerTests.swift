// Whole runs on the simulated kernel: every way to end reverts everything and says so.

import ChaosEngine
import ChaosModel
import TestSupport
import Testing

struct RunnerTests {
    private let world = SimulatedRun()

    @Test
    func `a run whose metrics stay healthy holds`() async throws {
        world.say(.value(1), for: "alive")
        let before = world.kernel.world
        let metric = SimulatedRun.metric("alive", healthy: .equals(1))
        let report = await world.runner(SimulatedRun.experiment([metric])) {
            controls throws(BodyError) in
            let handle = try await primitive { () throws(ControlError) in
                try await controls.inject(SimulatedRun.pause)
            }
            try await primitive { () throws(ControlError) in
                try await controls.wait(.milliseconds(30))
            }
            try await primitive { () throws(ControlError) in try await controls.rollback(handle) }
        }.run()
        #expect(report.exitCode == 0, "\(report.reasons)")
        #expect(report.verdict == .held)
        #expect(report.restoration == .restored)
        #expect(report.faults.count == 2)
        #expect(report.faults.allSatisfy { $0.outcome == .reverted && $0.revertedMs != nil })
        #expect(world.kernel.world.differences(from: before) == [])
        #expect(
            report.phases.map(\.phase) == [
                .initialize, .baseline, .injection, .monitoring, .rollback, .postValidation,
                .report,
            ]
        )
        let alive = try #require(report.metrics.first)
        #expect(alive.before.count > 0 && alive.during.count > 0)
        #expect(world.journals.open.isEmpty)
    }

    @Test
    func `an unhealthy baseline injects nothing and names metric, value and threshold`()
        async throws
    {
        world.say(.value(7), for: "errors")
        let metric = SimulatedRun.metric("errors", healthy: .below(1))
        let report = await world.runner(SimulatedRun.experiment([metric])) {
            controls throws(BodyError) in
            _ = try await primitive { () throws(ControlError) in
                try await controls.inject(SimulatedRun.pause)
            }
        }.run()
        #expect(report.exitCode == ExitCode.baseline.rawValue)
        #expect(report.faults.isEmpty)
        #expect(!world.kernel.calls.contains("signal"))
        let reason = try #require(report.reasons.first)
        #expect(reason.contains("errors is 7, must be below 1"))
    }

    @Test
    func `a baseline without data ends the run`() async throws {
        let metric = SimulatedRun.metric("silent", healthy: .below(1))
        let report = await world.runner(SimulatedRun.experiment([metric])) { _ throws(BodyError) in
        }.run()
        #expect(report.exitCode == ExitCode.baseline.rawValue)
        #expect(report.reasons.first?.contains("silent") == true)
    }

    @Test
    func `an abort threshold reverts everything while the body waits`() async throws {
        world.say(.value(0), for: "errors")
        let before = world.kernel.world
        let metric = SimulatedRun.metric("errors", tolerated: .below(5))
        let report = await world.runner(SimulatedRun.experiment([metric])) {
            controls throws(BodyError) in
            _ = try await primitive { () throws(ControlError) in
                try await controls.inject(SimulatedRun.pause)
            }
            world.say(.value(9), for: "errors")
            try await primitive { () throws(ControlError) in try await controls.wait(.seconds(600))
            }
        }.run()
        #expect(report.exitCode == ExitCode.aborted.rawValue)
        #expect(report.status == .aborted)
        #expect(report.abort?.reason.contains("errors is 9") == true)
        #expect(world.kernel.world.differences(from: before) == [])
    }

    @Test
    func `abort_if with a condition aborts`() async throws {
        world.say(.value(0), for: "errors")
        let metric = SimulatedRun.metric("errors", healthy: .below(100))
        let report = await world.runner(SimulatedRun.experiment([metric])) {
            controls throws(BodyError) in
            // SAFETY: a constant that parses.
            let condition = try! Condition(parsing: "errors > 3")
            try await primitive { () throws(ControlError) in
                try await controls.abort(if: condition, at: nil)
            }
            _ = try await primitive { () throws(ControlError) in
                try await controls.inject(SimulatedRun.pause)
            }
            world.say(.value(4), for: "errors")
            try await primitive { () throws(ControlError) in try await controls.wait(.seconds(600))
            }
        }.run()
        #expect(report.exitCode == ExitCode.aborted.rawValue)
        #expect(report.abort?.reason.contains("abort_if \"errors > 3\": errors is 4") == true)
    }

    @Test
    func `a rule that cannot be evaluated twice aborts`() async throws {
        world.say(.value(0), for: "errors")
        let report = await world.runner(SimulatedRun.experiment()) { controls throws(BodyError) in
            try await primitive { () throws(ControlError) in
                try await controls.abort(
                    if: { throw AgentFailure(.protocol, "busy") },
                    named: "function"
                )
            }
            _ = try await primitive { () throws(ControlError) in
                try await controls.inject(SimulatedRun.pause)
            }
            try await primitive { () throws(ControlError) in try await controls.wait(.seconds(600))
            }
        }.run()
        #expect(report.exitCode == ExitCode.aborted.rawValue)
        #expect(report.abort?.reason.contains("could not be evaluated twice in a row") == true)
    }

    @Test
    func `an error of the body reverts everything`() async throws {
        let before = world.kernel.world
        let report = await world.runner { controls throws(BodyError) in
            _ = try await primitive { () throws(ControlError) in
                try await controls.inject(SimulatedRun.pause)
            }
            throw .raised(message: "boom (test.lua:3)", traceback: "test.lua:3: in function")
        }.run()
        #expect(report.exitCode == ExitCode.definition.rawValue)
        #expect(report.status == .failed)
        #expect(report.error?.traceback == "test.lua:3: in function")
        #expect(world.kernel.world.differences(from: before) == [])
    }

    @Test
    func `a signal reverts everything and a second one changes nothing`() async throws {
        let before = world.kernel.world
        let runner = world.runner(body: SimulatedRun.holdForever)
        async let running = runner.run()
        await world.awaitEvent(.injected)
        await runner.stop(.signal(2))
        await runner.stop(.signal(2))
        let report = await running
        #expect(report.exitCode == 130)
        #expect(report.reasons == ["interrupted by SIGINT"])
        #expect(world.kernel.world.differences(from: before) == [])
    }

    @Test
    func `an agent that dies is replaced, and its journal applied`() async throws {
        let before = world.kernel.world
        let runner = world.runner(body: SimulatedRun.holdForever)
        async let running = runner.run()
        await world.awaitEvent(.injected)
        world.channels.withLock { $0[0] }.kill()
        let report = await running
        #expect(report.restoration == .restored, "\(report.reasons)")
        #expect(report.status == .failed)
        #expect(report.exitCode == ExitCode.inconclusive.rawValue)
        #expect(world.kernel.world.differences(from: before) == [])
        #expect(world.channels.withLock { $0.count } == 2)
    }

    @Test
    func `moonquake abort reaches the runner through the agent`() async throws {
        let runner = world.runner(body: SimulatedRun.holdForever)
        async let running = runner.run()
        await world.awaitEvent(.injected)
        world.channels.withLock { $0[0] }.abort()
        let report = await running
        #expect(report.exitCode == ExitCode.aborted.rawValue)
        #expect(report.faults.allSatisfy { $0.outcome == .reverted })
    }

    @Test
    func `a failed injection that the body catches makes the verdict inconclusive`() async throws {
        world.say(.value(1), for: "alive")
        let metric = SimulatedRun.metric("alive", healthy: .equals(1))
        let report = await world.runner(SimulatedRun.experiment([metric])) {
            controls throws(BodyError) in
            world.kernel.change { world in
                for pid in world.processes.keys where world.processes[pid]?.name == "shop" {
                    world.processes[pid]?.state = "T"
                }
            }
            _ = try? await controls.inject(SimulatedRun.pause)
        }.run()
        #expect(report.verdict == .inconclusive)
        #expect(report.exitCode == ExitCode.inconclusive.rawValue)
    }

    @Test
    func `what cannot be reverted outranks every other answer`() async throws {
        let report = await world.runner { controls throws(BodyError) in
            _ = try await primitive { () throws(ControlError) in
                try await controls.inject(SimulatedRun.pause)
            }
            world.kernel.die(at: 1, .before)
        }.run()
        #expect(report.restoration == .leaked)
        #expect(report.exitCode == ExitCode.leaked.rawValue)
        #expect(!report.proof.leaked.isEmpty)
    }

    @Test
    func `a wrong rehearsal touches nothing`() async throws {
        let rehearsal = Rehearsal(
            error: DefinitionError("network.partition", "port must be between 1 and 65535")
        )
        let report = await world.runner(rehearsal: rehearsal) { _ throws(BodyError) in
            Issue.record("the body ran")
        }.run()
        #expect(report.exitCode == ExitCode.definition.rawValue)
        #expect(world.channels.withLock { $0.isEmpty }, "no agent was started")
    }

    @Test
    func `an empty selection in the rehearsal is found before anything is touched`() async throws {
        let nobody = TargetSelector(kind: .process, options: ["name": "nobody"])
        let spec = FaultSpec(fault: "process.pause", target: nobody, options: [:])
        let report = await world.runner(rehearsal: Rehearsal(faults: [SimulatedRun.pause, spec])) {
            _ throws(BodyError) in Issue.record("the body ran")
        }.run()
        #expect(report.exitCode == ExitCode.definition.rawValue)
        #expect(!world.kernel.calls.contains("signal"))
        #expect(report.reasons.first?.contains("matches nothing") == true)
    }

    @Test
    func `a system that does not recover deviates`() async throws {
        world.say(.value(1), for: "alive")
        let metric = SimulatedRun.metric("alive", healthy: .equals(1))
        let report = await world.runner(SimulatedRun.experiment([metric], recoveryMs: 60)) {
            controls throws(BodyError) in
            _ = try await primitive { () throws(ControlError) in
                try await controls.inject(SimulatedRun.pause)
            }
            world.say(.value(0), for: "alive")
        }.run()
        #expect(report.verdict == .deviated)
        #expect(report.exitCode == ExitCode.deviated.rawValue)
        #expect(report.reasons.contains { $0.contains("not back to the steady state") })
    }

    @Test(.rounds)
    func `how long recovery took is measured and reported`() async throws {
        world.say(.value(1), for: "alive")
        let metric = SimulatedRun.metric("alive", healthy: .equals(1))
        let world = world
        let report = await world.runner(SimulatedRun.experiment([metric])) {
            controls throws(BodyError) in
            _ = try await primitive { () throws(ControlError) in
                try await controls.inject(SimulatedRun.pause)
            }
            world.say(.value(0), for: "alive")
            try await primitive { () throws(ControlError) in
                try await controls.wait(.milliseconds(50))
            }
            // The system takes its time once the fault is off.
            Task {
                await world.awaitEvent(.reverted)
                try await Task.sleep(for: .milliseconds(150))
                world.say(.value(1), for: "alive")
            }
        }.run()
        let took = try #require(report.recoveredAfterMs, "\(report.reasons)")
        #expect(took > 100 && took < 2000, .ofFigure("\(took) ms"))
        let alive = try #require(report.metrics.first)
        #expect(alive.after.count > 0 && alive.after.maximum == 1)
        #expect(report.phases.contains { $0.outcome.contains("recovered after") })
        #expect(report.verdict == .deviated, "it was not healthy while the fault was on")
    }

    @Test(.rounds)
    func `who interrupts the wait for the recovery waits no longer`() async throws {
        world.say(.value(1), for: "alive")
        let before = world.kernel.world
        let world = world
        let metric = SimulatedRun.metric("alive", healthy: .equals(1))
        let runner = world.runner(SimulatedRun.experiment([metric], recoveryMs: 600_000)) {
            controls throws(BodyError) in
            _ = try await primitive { () throws(ControlError) in
                try await controls.inject(SimulatedRun.pause)
            }
            world.say(.value(0), for: "alive")
        }
        async let running = runner.run()
        while !world.events.withLock({ $0.contains { $0.phase == .postValidation } }) {
            await Task.yield()
        }
        let began = ContinuousClock.now
        await runner.stop(.signal(2))
        let report = await running
        #expect(ContinuousClock.now - began < .seconds(1), .ofFigure)
        #expect(report.exitCode == ExitCode.interrupted.rawValue)
        #expect(report.restoration == .restored)
        #expect(world.kernel.world.differences(from: before) == [])
    }

    @Test
    func `a metric that turns bad in the warm-up injects nothing`() async throws {
        world.say(.value(0), for: "errors")
        var experiment = SimulatedRun.experiment([
            SimulatedRun.metric("errors", healthy: .below(1))
        ])
        experiment.steadyState.warmupMs = 60_000
        let world = world
        async let running = world.runner(experiment) { controls throws(BodyError) in
            _ = try await primitive { () throws(ControlError) in
                try await controls.inject(SimulatedRun.pause)
            }
        }.run()
        while !world.events.withLock({ $0.contains { $0.phase == .baseline } }) {
            await Task.yield()
        }
        try await Task.sleep(for: .milliseconds(50))
        world.say(.value(7), for: "errors")
        let report = await running
        #expect(report.metrics.first?.before.minimum == 0, "it was well when the warm-up began")
        #expect(report.exitCode == ExitCode.baseline.rawValue)
        #expect(report.reasons.first?.contains("errors is 7, must be below 1") == true)
        #expect(!world.kernel.calls.contains("signal"))
    }

    @Test
    func `an observation is on the time line and decides nothing`() async throws {
        world.say(.value(1), for: "alive")
        let metric = SimulatedRun.metric("alive", healthy: .equals(1))
        let report = await world.runner(SimulatedRun.experiment([metric])) {
            controls throws(BodyError) in
            _ = try await primitive { () throws(ControlError) in
                try await controls.inject(SimulatedRun.pause)
            }
            await controls.observe("pages were slow")
        }.run()
        #expect(report.verdict == .held, "\(report.reasons)")
        #expect(report.timeline.contains { $0.text == "pages were slow" })
    }

    @Test
    func `a check without a value is inconclusive`() async throws {
        world.say(.value(1), for: "alive")
        let metrics = [
            SimulatedRun.metric("alive", healthy: .equals(1)),
            SimulatedRun.metric("silent", noData: .ignore),
        ]
        let report = await world.runner(SimulatedRun.experiment(metrics)) {
            controls throws(BodyError) in
            _ = try await primitive { () throws(ControlError) in
                try await controls.inject(SimulatedRun.pause)
            }
            // SAFETY: a constant that parses.
            let condition = try! Condition(parsing: "silent < 1")
            let result = try await primitive { () throws(ControlError) in
                try await controls.check(condition, at: nil)
            }
            #expect(result.held == nil)
        }.run()
        #expect(report.exitCode == ExitCode.inconclusive.rawValue)
        #expect(report.reasons == ["check_metric: no data for silent < 1"])
    }

    @Test
    func `a false check deviates`() async throws {
        world.say(.value(5), for: "errors")
        let metric = SimulatedRun.metric("errors", healthy: .below(100))
        let report = await world.runner(SimulatedRun.experiment([metric])) {
            controls throws(BodyError) in
            _ = try await primitive { () throws(ControlError) in
                try await controls.inject(SimulatedRun.pause)
            }
            // SAFETY: a constant that parses.
            let condition = try! Condition(parsing: "errors < 1")
            let result = try await primitive { () throws(ControlError) in
                try await controls.check(condition, at: SourceLocation(file: "test.lua", line: 4))
            }
            #expect(result.held == false)
        }.run()
        #expect(report.exitCode == ExitCode.deviated.rawValue)
        #expect(report.reasons.first == "check_metric: errors < 1 did not hold (test.lua:4)")
    }

    @Test
    func `a check that does not count is on the time line and decides nothing`() async throws {
        world.say(.value(5), for: "errors")
        let metric = SimulatedRun.metric("errors", healthy: .below(100))
        let report = await world.runner(SimulatedRun.experiment([metric])) {
            controls throws(BodyError) in
            _ = try await primitive { () throws(ControlError) in
                try await controls.inject(SimulatedRun.pause)
            }
            // SAFETY: a constant that parses.
            let condition = try! Condition(parsing: "errors < 1")
            let result = try await primitive { () throws(ControlError) in
                try await controls.check(condition, within: .zero, counts: false, at: nil)
            }
            #expect(result == CheckResult(held: false, values: ["errors": 5], took: result.took))
        }.run()
        #expect(report.verdict == .held, "\(report.reasons)")
        #expect(report.checks.isEmpty)
        let told = report.timeline.filter { $0.kind == .check }.map(\.text)
        #expect(told == ["errors < 1: did not hold (errors is 5); this does not count"])
    }

    @Test
    func `the same seed chooses the same targets`() async throws {
        var chosen: Set<[Target]> = []
        for _ in 0..<3 {
            let world = SimulatedRun()
            world.kernel.change { world in
                for _ in 0..<20 { world.add(name: "shop") }
            }
            let radius = BlastRadius(targetShare: 0.25)
            let report = await world.runner(SimulatedRun.experiment(blastRadius: radius), seed: 42)
            {
                controls throws(BodyError) in
                _ = try await primitive { () throws(ControlError) in
                    try await controls.inject(SimulatedRun.pause)
                }
            }.run()
            #expect(report.targets.count == 5)
            #expect(report.seed == 42)
            chosen.insert(report.targets)
        }
        #expect(chosen.count == 1)
    }
}

extension SimulatedRun {
    /// Waits until something of a kind has happened, or the run is over without it.
    func awaitEvent(_ kind: RunEvent.Kind) async {
        while !events.withLock({ $0.contains { $0.kind == kind || $0.kind == .ended } }) {
            await Task.yield()
        }
    }
}
