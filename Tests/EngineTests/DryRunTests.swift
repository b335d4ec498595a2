// A dry run does everything but the effects, and its exit code is that of a run.

import ChaosEngine
import ChaosModel
import Synchronization
import Testing

struct DryRunTests {
    private let world = SimulatedRun()
    private let metric = SimulatedRun.metric("alive", healthy: .equals(1))

    private func dryRun(_ spec: FaultSpec, isPlain: Bool = false) async -> (RunReport, Bool) {
        let called = CalledFlag()
        let steadyState = SimulatedRun.experiment([metric]).steadyState
        let report = await world.runner(
            isPlain ? SimulatedRun.experiment() : SimulatedRun.experiment([metric]),
            isPlain: isPlain,
            rehearsal: Rehearsal(faults: [spec], steadyState: isPlain ? steadyState : nil),
            mode: .dryRun
        ) { _ throws(BodyError) in called.set() }.run()
        return (report, called.isSet)
    }

    @Test(arguments: [false, true])
    func `it plans and samples, and neither injects nor calls the body`(isPlain: Bool) async {
        world.say(.value(1), for: "alive")
        let before = world.kernel.world
        let (report, isCalled) = await dryRun(SimulatedRun.pause, isPlain: isPlain)
        #expect(report.exitCode == 0, "\(report.reasons)")
        #expect(report.mode == .dryRun && report.verdict == .inconclusive)
        #expect(report.status == .completed && report.restoration == .restored)
        #expect(!isCalled && !world.kernel.calls.contains("signal"))
        #expect(world.kernel.world.differences(from: before) == [])
        #expect((report.metrics.first?.before.count ?? 0) > 0)
        #expect(report.timeline.contains { $0.kind == .plan })
        #expect(report.faults.isEmpty && world.journals.open.isEmpty)
    }

    @Test
    func `an unhealthy baseline and a target that is not there are told as in a run`() async {
        world.say(.value(0), for: "alive")
        let (unhealthy, _) = await dryRun(SimulatedRun.pause)
        #expect(unhealthy.exitCode == ExitCode.baseline.rawValue)
        var spec = SimulatedRun.pause
        spec.target.options = ["name": "nothing"]
        world.say(.value(1), for: "alive")
        let (missing, _) = await dryRun(spec)
        #expect(missing.exitCode == ExitCode.definition.rawValue, "\(missing.reasons)")
    }
}

/// Whether a body was called.
private final class CalledFlag: Sendable {
    private let state = Mutex(false)

    var isSet: Bool { state.withLock { $0 } }

    func set() { state.withLock { $0 = true } }
}
