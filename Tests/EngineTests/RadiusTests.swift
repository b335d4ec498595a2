// The actual blast radius, the growth of a set, deadlines, and what the report says of an abort.

import ChaosEngine
import ChaosModel
import Testing

struct RadiusTests {
    private let world = SimulatedRun()

    private func hold(
        _ spec: FaultSpec,
        _ then: @escaping @Sendable () -> Void = {}
    ) -> @Sendable (any RunControls) async throws(BodyError) -> Void {
        { controls throws(BodyError) in
            _ = try await primitive { () throws(ControlError) in try await controls.inject(spec) }
            then()
            try await primitive { () throws(ControlError) in
                try await controls.wait(.seconds(600))
            }
        }
    }

    @Test
    func `targets that end beside a fault make its share too large, and the run is aborted`()
        async throws
    {
        let before = world.kernel.world
        var half = SimulatedRun.pause
        half.target.options["percent"] = "50%"
        let world = world
        let report = await world.runner(
            SimulatedRun.experiment(),
            body: hold(half) {
                world.kernel.change { world in
                    let left = world.processes.first {
                        $0.value.name == "shop" && $0.value.state != "T"
                    }
                    if let pid = left?.key { world.processes[pid] = nil }
                }
            }
        ).run()
        #expect(report.exitCode == ExitCode.aborted.rawValue)
        #expect(report.abort?.cause == .radius)
        #expect(
            report.abort?.reason
                == "process.pause now hits 1 of 1 matching targets, over the declared 50%, which is 0"
        )
        let radius = try #require(report.radius.first)
        #expect(radius.declaredShare == 0.5)
        #expect(radius.hit == 1 && radius.candidates == 1)
        #expect(report.restoration == .restored)
        let left = world.kernel.world
        #expect(left.processes.values.allSatisfy { $0.state != "T" })
        #expect(left.processes.count == before.processes.count - 1)
    }

    private static let tenth = FaultSpec(
        fault: "network.latency",
        target: TargetSelector(kind: .netns, options: ["name": "shop"]),
        options: ["delay": "100ms"]
    )

    @Test
    func `more traffic than declared beyond chance aborts the run and is reverted`() async throws {
        let world = world
        let before = world.kernel.world
        let report = await world.runner(
            SimulatedRun.experiment(blastRadius: BlastRadius(traffic: 0.1)),
            body: hold(Self.tenth) {
                world.kernel.setTraffic(TrafficShare(.connections, matched: 200, hit: 90))
            }
        ).run()
        #expect(report.exitCode == ExitCode.aborted.rawValue)
        #expect(report.abort?.cause == .radius)
        #expect(report.abort?.rule == "blast_radius.traffic")
        #expect(
            report.abort?.reason
                == "network.latency has hit 90 of 200 matching connections (45%), over the declared 10% by more "
                + "than chance explains"
        )
        let radius = try #require(report.radius.first)
        #expect(radius.declaredTraffic == 0.1)
        #expect(radius.traffic == TrafficShare(.connections, matched: 200, hit: 90))
        #expect(report.restoration == .restored)
        #expect(world.kernel.world.differences(from: before) == [])
    }

    @Test
    func `one of two connections at 10% is chance, and is in the report`() async throws {
        world.kernel.setTraffic(TrafficShare(.connections, matched: 2, hit: 1))
        let report = await world.runner(
            SimulatedRun.experiment(blastRadius: BlastRadius(traffic: 0.1))
        ) { controls throws(BodyError) in
            _ = try await primitive { () throws(ControlError) in
                try await controls.inject(Self.tenth)
            }
            try await primitive { () throws(ControlError) in
                try await controls.wait(.milliseconds(300))
            }
        }.run()
        #expect(report.abort == nil)
        #expect(report.radius.first?.traffic == TrafficShare(.connections, matched: 2, hit: 1))
    }

    @Test
    func `the report has what was hit of how many`() async throws {
        world.say(.value(1), for: "alive")
        let metric = SimulatedRun.metric("alive", healthy: .equals(1))
        var one = SimulatedRun.pause
        one.target.options["count"] = 1
        let spec = one
        let report = await world.runner(SimulatedRun.experiment([metric])) {
            controls throws(BodyError) in
            _ = try await primitive { () throws(ControlError) in try await controls.inject(spec) }
        }.run()
        #expect(report.radius.map(\.hit) == [1])
        #expect(report.radius.map(\.candidates) == [2])
    }

    @Test
    func `a set that has grown since the plan is refused`() async throws {
        let world = world
        let before = world.kernel.world
        let report = await world.runner(
            SimulatedRun.experiment(),
            rehearsal: Rehearsal(faults: [SimulatedRun.pause])
        ) { controls throws(BodyError) in
            world.kernel.change { _ = $0.add(name: "shop") }
            _ = try await primitive { () throws(ControlError) in
                try await controls.inject(SimulatedRun.pause)
            }
        }.run()
        #expect(report.exitCode == ExitCode.definition.rawValue)
        #expect(
            report.reasons.first?.contains(
                "would hit 3 of 3 matching targets, but the plan had 2: the set has grown since"
            ) == true,
            "\(report.reasons)"
        )
        #expect(world.kernel.world.processes.count == before.processes.count + 1)
        #expect(!world.kernel.calls.contains("signal"))
    }

    @Test
    func `a fault that is on until its deadline aborts the run`() async throws {
        let report = await world.runner(
            SimulatedRun.experiment(blastRadius: BlastRadius(maxDurationMs: 40)),
            body: hold(SimulatedRun.pause)
        ).run()
        #expect(report.exitCode == ExitCode.aborted.rawValue)
        #expect(report.abort?.cause == .deadline)
        #expect(report.abort?.reason.contains("was on until its deadline (40ms)") == true)
        #expect(report.restoration == .restored)
    }

    @Test
    func `a fault with a duration of its own ends without an abort`() async throws {
        world.say(.value(1), for: "alive")
        let metric = SimulatedRun.metric("alive", healthy: .equals(1))
        var short = SimulatedRun.pause
        short.options["duration"] = "20ms"
        let spec = short
        let report = await world.runner(SimulatedRun.experiment([metric])) {
            controls throws(BodyError) in
            _ = try await primitive { () throws(ControlError) in try await controls.inject(spec) }
            try await primitive { () throws(ControlError) in
                try await controls.wait(.milliseconds(60))
            }
        }.run()
        #expect(report.abort == nil)
        #expect(report.exitCode == 0, "\(report.reasons)")
    }

    @Test
    func `the report of an abort has the rule, the sample, the time, and each revert's`()
        async throws
    {
        world.say(.value(0), for: "errors")
        let metric = SimulatedRun.metric("errors", tolerated: .below(5))
        let world = world
        let report = await world.runner(
            SimulatedRun.experiment([metric]),
            body: hold(SimulatedRun.pause) { world.say(.value(9), for: "errors") }
        ).run()
        let abort = try #require(report.abort)
        #expect(abort.cause == .threshold)
        #expect(abort.rule == "abort threshold of errors")
        #expect(abort.metric == "errors")
        #expect(abort.sample?.value == 9)
        #expect(abort.atMs >= abort.sample?.atMs ?? .infinity)
        #expect(abort.tookMs >= 0)
        #expect(report.faults.count == 2)
        #expect(report.faults.allSatisfy { $0.revertTookMs != nil })
    }

    @Test
    func `a fault whose target may be absent is skipped and judged all the same`() async throws {
        world.say(.value(1), for: "alive")
        let metric = SimulatedRun.metric("alive", healthy: .equals(1))
        let absent = FaultSpec(
            fault: "process.pause",
            target: TargetSelector(
                kind: .process,
                options: ["name": "nowhere", "if_absent": "ok"]
            ),
            options: [:]
        )
        let report = await world.runner(
            SimulatedRun.experiment([metric]),
            rehearsal: Rehearsal(faults: [absent])
        ) { controls throws(BodyError) in
            _ = try await primitive { () throws(ControlError) in
                try await controls.inject(absent)
            }
        }.run()
        #expect(report.exitCode == 0, "\(report.reasons)")
        #expect(report.faults.isEmpty)
        #expect(report.timeline.contains { $0.kind == .warning && $0.text.contains("nowhere") })
    }
}
