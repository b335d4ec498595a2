// Random scripts through the real loader, runner, agent and faults on a simulated kernel, with calls that fail, agents that
// die and signals, all of it from one seed: in the end everything is as it was, or the report names what is left.
//
// MOONQUAKE_SEED=N repeats one; MOONQUAKE_SIMULATE=SECONDS goes on longer.

import ChaosAgent
import ChaosEngine
import ChaosFaults
import ChaosLinux
import ChaosModel
import ChaosScript
import ChaosSimulation
import ChaosTesting
import Foundation
import Synchronization
import TestSupport
import Testing

@Suite(.serialized)
struct `Random scripts` {
    @Test(.timeLimit(.minutes(10)))
    func `everything is as it was in the end, or what is left is named`() async throws {
        let ends = try await RandomScripts(isMadeUpTime: false).run()
        #expect(ends.problem == nil)
        #expect(ends.restored > 40 && ends.stopped > 10, "\(ends)")
    }

    /// In a process of its own, since all of a process goes by the made-up clock, on one thread.
    @Test(.timeLimit(.minutes(10)))
    func `in a made-up time too, where the same seed is the same run to the last event`() async {
        let end = await #expect(
            processExitsWith: .success,
            observing: [\.standardOutputContent]
        ) {
            try await OneThread.shared.begin {
                print("nothing can happen any more")
                exit(EXIT_FAILURE)
            }
            let ends = try await RandomScripts(isMadeUpTime: true).run()
            print(ends.problem ?? "")
            let isGood =
                ends.problem == nil && ends.restored > 50 && ends.leaked > 0 && ends.stopped > 10
            exit(isGood ? EXIT_SUCCESS : EXIT_FAILURE)
        }
        print(String(decoding: end?.standardOutputContent ?? [], as: UTF8.self))
    }
}

/// Makes and runs them, from seed 1 on.
private struct RandomScripts {
    let isMadeUpTime: Bool

    /// A script, and what goes wrong while it runs.
    private struct Plan: CustomStringConvertible {
        var script = ""
        /// Which call of the kernel fails, and how.
        var failure: (call: Int, how: SimulatedKernel.Failure)?
        /// From which call on every call fails.
        var deadFrom: Int?
        /// At which change of the machine the agent is killed, or the run gets a signal.
        var killAt: Int?
        var stopAt: Int?

        private static let faults = [
            "process.pause { target = target.process { name = 'shop' } }",
            "fd.exhaust { target = target.process { name = 'shop', count = 1 } }",
            "network.partition { target = target.netns { name = 'shop' }, to = '10.9.0.3' }",
            "network.latency { target = target.netns { name = 'shop' }, to = '10.9.0.3', delay = '9ms' }",
            "dns.error { target = target.netns { name = 'shop' }, names = '*' }",
            "http.error { target = target.netns { name = 'shop' }, port = 80, status = 503 }",
            "cpu.limit { target = target.process { name = 'grouped' }, quota = '20%' }",
            "disk.fill { target = target.host {}, path = '/srv/data', size = '1MiB' }",
            "memory.pressure { target = target.host {}, use = '8MiB' }",
            "noop { target = target.host {} }",
        ]

        init(_ random: inout SeededGenerator) {
            let isWatched = Int.random(in: 0..<4, using: &random) == 0
            if isWatched { script = Self.metrics }
            for number in 1...Int.random(in: 2...7, using: &random) {
                script += Self.statement(number, isWatched, &random) + "\n"
            }
            let call = Int.random(in: 1...60, using: &random)
            switch Int.random(in: 0..<8, using: &random) {
            case 0, 1: failure = (call, .before)
            case 2: failure = (call, .after)
            case 5: deadFrom = call
            case 3: killAt = call % 12
            case 4: stopAt = call % 12
            default: break
            }
        }

        private static let metrics = """
            steady_state {
              every = "100ms", warmup = "100ms", recovery = "200ms",
              metrics = { m = metric.lua { function() return 1 end, below = 2 } },
            }

            """

        private static func statement(
            _ number: Int,
            _ isWatched: Bool,
            _ random: inout SeededGenerator
        ) -> String {
            let fault = "fault." + (faults.randomElement(using: &random) ?? "")
            let span = Int.random(in: 0...8, using: &random)
            let statements = [
                "inject(\(fault))", "inject(\(fault))",
                "local f\(number) = inject(\(fault)); wait '\(span)ms'; rollback(f\(number))",
                "do local f\(number) <close> = inject(\(fault)); wait '\(span)ms' end",
                "pcall(inject, \(fault))", "pcall(function() inject(\(fault)); error('x') end)",
                "wait '\(span)ms'", "rollback()", "observe('\(number)')",
            ]
            let judging = [
                "check_metric('m < 2')", "wait '120ms'",
                "abort_if('m >= \(Int.random(in: 1...3, using: &random))')",
            ]
            let ends = ["error('over')", "abort('over')", "local x = nil + 1", "inject(nil)"]
            let isEnd = Int.random(in: 0..<16, using: &random) == 0
            let all = isEnd ? ends : isWatched ? statements + judging : statements
            return all.randomElement(using: &random) ?? ""
        }

        var description: String {
            let failing = failure.map { "call \($0.call) fails \($0.how)" } ?? ""
            let dead = deadFrom.map { "all calls fail from \($0) on" } ?? ""
            let killed = killAt.map { "the agent dies at change \($0)" } ?? ""
            let stopped = stopAt.map { "SIGINT at change \($0)" } ?? ""
            return "\(failing)\(dead)\(killed)\(stopped)\n\(script)"
        }
    }

    private static func variable(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
    }

    /// How the runs ended, so that none of the ways is left out.
    struct Ends {
        var restored = 0
        var leaked = 0
        var stopped = 0
        /// What is broken, and how to repeat it.
        var problem: String?
    }

    /// Runs the seed that is asked for, or one after the other.
    func run() async throws -> Ends {
        let folder = try TestFolder()
        let file = folder["random.lua"].path
        var ends = Ends()
        if let seed = Self.variable("MOONQUAKE_SEED") {
            ends.problem = try await problem(of: seed, in: file, &ends)
            return ends
        }
        let began = ContinuousClock.now
        let deadline = began + .seconds(Self.variable("MOONQUAKE_SIMULATE") ?? 0)
        let least = isMadeUpTime ? 150 : 60
        var seed: UInt64 = 1
        while ContinuousClock.now < deadline || seed <= least {
            if let problem = try await problem(of: seed, in: file, &ends) {
                ends.problem =
                    "seed \(seed): \(problem)\nagain: MOONQUAKE_SEED=\(seed) swift test --filter 'EngineTests.*Random scripts'"
                return ends
            }
            seed += 1
        }
        print("\(seed - 1) random scripts (\(ends)) in \(ContinuousClock.now - began)")
        return ends
    }

    /// What is broken with a seed; in a made-up time also that it does not repeat.
    private func problem(
        of seed: UInt64,
        in file: String,
        _ ends: inout Ends
    ) async throws -> String? {
        let trial = try await trial(of: seed, in: file, &ends)
        guard isMadeUpTime, let trial, trial.problem == nil else { return trial?.problem }
        var none = Ends()
        let again = try await self.trial(of: seed, in: file, &none)
        guard let again, again.report != trial.report else { return nil }
        return "another run: \(trial.report)\nand: \(again.report)"
    }

    private struct Trial {
        var report: String
        var problem: String?
    }

    /// Runs one; nil when the script is refused, and is no run.
    private func trial(
        of seed: UInt64,
        in file: String,
        _ ends: inout Ends
    ) async throws -> Trial? {
        var random = SeededGenerator(seed: seed)
        let plan = Plan(&random)
        let clock = isMadeUpTime ? SimulatedTime(advancesBySleeping: false) : nil
        clock.map(OneThread.shared.follow)
        let simulated = SimulatedRun(in: clock)
        simulated.kernel.change { world in
            world.add(name: "grouped", group: "/grouped")
            world.addGroup("/grouped", files: ["cpu.max": "50000 100000\n", "cpu.stat": ""])
        }
        try plan.script.write(toFile: file, atomically: true, encoding: .utf8)
        guard let loaded = try? await loader(seed, clock).load(file: file)[0] else { return nil }
        let rehearsal = await loaded.rehearse()
        let runner = simulated.runner(of: loaded, rehearsal, seed: seed)
        let before = simulated.kernel.world
        if let failure = plan.failure { simulated.kernel.fail(call: failure.call, failure.how) }
        if let call = plan.deadFrom { simulated.kernel.die(at: call, .before) }
        simulated.say(.value(1), for: "m")
        let changes = Mutex(0)
        simulated.kernel.watch { _, _ in
            let number = changes.withLock { changes in
                changes += 1
                return changes
            }
            if number == plan.killAt { Task { simulated.killAgentOnce() } }
            if number == plan.stopAt { Task { await runner.stop(.signal(2)) } }
        }
        let report = await runner.run()
        if report.restoration == .restored { ends.restored += 1 } else { ends.leaked += 1 }
        if report.status != .completed { ends.stopped += 1 }
        let problem = try await broken(report, in: simulated, before)
        return Trial(
            report: try WireJSON.line(report),
            problem: problem.map { "\($0)\n\(plan)\n\(report.timeline.map(\.text))" }
        )
    }

    private func loader(_ seed: UInt64, _ clock: SimulatedTime?) -> ScriptLoader {
        guard let clock else { return ScriptLoader(faults: .all, seed: seed) }
        return ScriptLoader(
            faults: .all,
            seed: seed,
            host: ScriptHost(
                jobs: { OneThread.shared.append($0) },
                clock: { clock.secondsSince1970 }
            )
        )
    }

    /// What is broken after a run, in words.
    private func broken(
        _ report: RunReport,
        in simulated: SimulatedRun,
        _ before: SimulatedWorld
    ) async throws -> String? {
        let left = simulated.kernel.world.differences(from: before)
        if report.restoration == .restored, !left.isEmpty { return "restored, but \(left)" }
        if report.restoration == .leaked, report.proof.leaked.isEmpty || report.exitCode != 4 {
            return "leaked, and nothing is named: \(report.exitCode)"
        }
        let differing = report.proof.state.filter { !$0.differences.isEmpty }
        if left.isEmpty, !differing.isEmpty {
            return "all is back, but the proof differs: \(differing)"
        }
        if report.phases.last?.phase != .report { return "no report was made" }
        simulated.kernel.fail(call: nil)
        simulated.journals.agentDied()
        simulated.kernel.restartAgent()
        let recovery = Recovery(
            kernel: simulated.kernel.kernel,
            catalogue: .all,
            store: simulated.journals
        )
        _ = try await recovery.run()
        let still = simulated.kernel.world.differences(from: before)
        return still.isEmpty ? nil : "not recovered: \(still)"
    }
}
