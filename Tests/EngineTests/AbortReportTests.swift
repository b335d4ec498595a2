// Whatever stops a run, the report says what did: the cause, the rule and the sample where there are some, when it was
// decided, how long it took until everything was back, and how long each revert took.

import ChaosEngine
import ChaosModel
import Testing

struct AbortReportTests {
    /// A thing that stops a run, and what the report says of it.
    struct Stop: Sendable, CustomTestStringConvertible {
        let cause: AbortCause
        let reason: String
        var rule: String?
        var metric: String?
        var code = ExitCode.aborted
        var radius = BlastRadius()
        /// Armed before the fault is made.
        var arm: @Sendable (any RunControls) async throws(ControlError) -> Void = { _ in }
        /// Done once the fault is on.
        let happen: @Sendable (SimulatedRun, Runner, any RunControls) async -> Void

        var testDescription: String { cause.rawValue }
    }

    static let stops = [
        Stop(
            cause: .threshold,
            reason: "abort threshold of errors is 9, tolerated is at most 5",
            rule: "abort threshold of errors",
            metric: "errors"
        ) { world, _, _ in world.say(.value(9), for: "errors") },
        Stop(
            cause: .abortIf,
            reason: "abort_if \"errors > 3\": errors is 4",
            rule: "abort_if \"errors > 3\"",
            metric: "errors",
            arm: { controls throws(ControlError) in
                // swift-format-ignore: NeverUseForceTry
                // SAFETY: a constant that parses.
                try await controls.abort(if: try! Condition(parsing: "errors > 3"), at: nil)
            }
        ) { world, _, _ in world.say(.value(4), for: "errors") },
        Stop(cause: .script, reason: "the script aborted: enough") { _, _, controls in
            try? await controls.abort(reason: "enough")
        },
        Stop(cause: .person, reason: "test") { world, _, _ in
            world.channels.withLock { $0[0] }.abort()
        },
        Stop(cause: .signal, reason: "interrupted by SIGTERM", code: .interrupted) {
            _,
            runner,
            _ in await runner.stop(.signal(15))
        },
        Stop(
            cause: .deadline,
            reason: "was on until its deadline (40ms)",
            rule: "blast_radius.max_duration",
            radius: BlastRadius(maxDurationMs: 40)
        ) { _, _, _ in },
        Stop(
            cause: .policy,
            reason: "process.pause: the policy forbids process.* (/etc/moonquake/policy.json)"
        ) { world, _, _ in
            world.setPolicy(["forbid_faults": "process.*"])
        },
        Stop(cause: .agentLost, reason: "the agent is gone", code: .inconclusive) { world, _, _ in
            world.channels.withLock { $0[0] }.kill()
        },
    ]

    @Test(arguments: stops)
    func `the report says what stopped the run, and how long each revert took`(
        _ stop: Stop
    ) async throws {
        let world = SimulatedRun()
        let before = world.kernel.world
        world.say(.value(0), for: "errors")
        let metric = SimulatedRun.metric("errors", tolerated: .between(-.infinity, 5))
        let body = Handover()
        let runner = world.runner(
            SimulatedRun.experiment([metric], blastRadius: stop.radius)
        ) { controls throws(BodyError) in
            try await primitive { () throws(ControlError) in try await stop.arm(controls) }
            _ = try await primitive { () throws(ControlError) in
                try await controls.inject(SimulatedRun.pause)
            }
            body.give(controls)
            try await primitive { () throws(ControlError) in
                try await controls.wait(.seconds(600))
            }
        }
        async let running = runner.run()
        let controls = await body.taken()
        await stop.happen(world, runner, controls)
        let report = await running

        #expect(report.exitCode == stop.code.rawValue, "\(report.reasons)")
        let abort = try #require(report.abort)
        #expect(abort.cause == stop.cause)
        #expect(abort.reason.contains(stop.reason), "\(abort.reason)")
        #expect(abort.rule == stop.rule)
        #expect(abort.metric == stop.metric)
        if stop.metric == nil {
            #expect(abort.sample == nil)
        } else {
            #expect(abort.sample?.value ?? 0 >= 4)
            #expect(abort.sample?.atMs ?? .infinity <= abort.atMs)
        }
        let ended = try #require(report.phases.last?.startedMs)
        #expect(abort.atMs > 0 && abort.atMs <= ended)
        #expect(abort.tookMs >= 0)
        #expect(report.faults.count == 2)
        #expect(report.faults.allSatisfy { $0.outcome == .reverted && $0.revertTookMs != nil })
        #expect(report.restoration == .restored)
        #expect(world.kernel.world.differences(from: before) == [])
    }

    @Test
    func `every cause has a test here or beside the radius`() {
        let causes = Set(Self.stops.map(\.cause)).union([.radius, .other])
        #expect(causes == Set(AbortCause.allCases))
    }
}

/// Hands the controls of a running body to the test, once its fault is on.
private final class Handover: Sendable {
    private let (stream, continuation) = AsyncStream.makeStream(of: (any RunControls).self)

    func give(_ controls: any RunControls) { continuation.yield(controls) }

    func taken() async -> any RunControls {
        for await controls in stream { return controls }
        // The stream is never finished, so that only a cancelled test comes here.
        preconditionFailure("the body ended without a fault")
    }
}
