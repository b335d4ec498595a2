// What the gate admits and what it refuses, with its words.

import ChaosFaults
import ChaosModel
import Testing

@testable import ChaosEngine

struct BlastRadiusGateTests {
    private func spec(
        _ options: [String: ParameterValue] = [:],
        _ fault: [String: ParameterValue] = [:]
    ) -> FaultSpec {
        let target = TargetSelector(
            kind: .process,
            options: ["name": "shop"].merging(options) { $1 }
        )
        return FaultSpec(
            fault: "process.pause",
            target: target,
            options: fault,
            location: SourceLocation(file: "x.lua", line: 3)
        )
    }

    private func plan(_ chosen: Int, of candidates: Int) -> PlanReply {
        let targets = (0..<chosen).map { number in
            PlannedTarget(
                target: .process(
                    name: "shop",
                    ProcessIdentity(pid: Int32(100 + number), startTime: 1)
                ),
                changes: [],
                heldBy: .journal,
                engine: nil
            )
        }
        return PlanReply(candidates: candidates, targets: targets)
    }

    @Test
    func `a fault that says nothing gets the radius' share`() throws {
        let gate = BlastRadiusGate(BlastRadius(targetShare: 0.5))
        #expect(try gate.limit(for: spec()) == SelectionLimit(share: 0.5))
        #expect(try gate.limit(for: spec(["count": 2])) == SelectionLimit(count: 2))
    }

    @Test
    func `more than the share is refused`() {
        let gate = BlastRadiusGate(BlastRadius(targetShare: 0.5))
        let error = #expect(throws: DefinitionError.self) {
            try gate.admit(plan(3, of: 4), of: spec(["count": 3]), alreadyHit: [])
        }
        #expect(
            error?.description
                == "process.pause: would hit 3 of 4 matching targets, over blast_radius.targets (50%, which is 2) "
                + "(x.lua:3)"
        )
        #expect(throws: Never.self) { try gate.admit(plan(2, of: 4), of: spec(), alreadyHit: []) }
    }

    @Test
    func `more than the number is refused, counting what is hit already`() {
        let gate = BlastRadiusGate(BlastRadius(targetCount: 2))
        let others: Set<TargetIdentity> = [.namespace(inode: 9)]
        #expect(throws: Never.self) {
            try gate.admit(plan(1, of: 9), of: spec(), alreadyHit: others)
        }
        let error = #expect(throws: DefinitionError.self) {
            try gate.admit(plan(2, of: 9), of: spec(), alreadyHit: others)
        }
        #expect(error?.problem == "would hit 3 targets, over blast_radius.targets (2)")
    }

    @Test
    func `a container counts once, however many of its processes are hit`() {
        let gate = BlastRadiusGate(BlastRadius(targetCount: 1))
        let group = TargetGroup(
            kind: .container,
            name: "web",
            id: "3f2a",
            leader: ProcessIdentity(pid: 10, startTime: 1)
        )
        let targets = (10..<13).map { pid in
            PlannedTarget(
                target: .process(
                    name: "nginx",
                    ProcessIdentity(pid: pid, startTime: 1),
                    of: group
                ),
                changes: [],
                heldBy: .journal,
                engine: nil
            )
        }
        let plan = PlanReply(candidates: 4, targets: targets)
        #expect(throws: Never.self) { try gate.admit(plan, of: spec(), alreadyHit: []) }
        let error = #expect(throws: DefinitionError.self) {
            try gate.admit(plan, of: spec(), alreadyHit: [.namespace(inode: 9)])
        }
        #expect(error?.problem == "would hit 2 targets, over blast_radius.targets (1)")
    }

    @Test
    func `a duration over the longest is refused`() throws {
        let gate = BlastRadiusGate(BlastRadius(maxDurationMs: 120_000))
        let error = #expect(throws: DefinitionError.self) {
            try gate.deadline(for: spec([:], ["duration": "5m"]))
        }
        #expect(error?.problem == "duration is 5m, over blast_radius.max_duration (2m)")
        #expect(try gate.deadline(for: spec([:], ["duration": "30s"])) == .seconds(30))
        #expect(try gate.deadline(for: spec()) == .seconds(120))
    }

    @Test
    func `a network fault is narrowed to the share of traffic, or refused`() throws {
        let gate = BlastRadiusGate(BlastRadius(traffic: 0.1))
        let netns = TargetSelector(kind: .netns, options: ["name": "shop"])
        func spec(_ fault: String, _ options: [String: ParameterValue] = [:]) -> FaultSpec {
            FaultSpec(fault: fault, target: netns, options: options)
        }
        let latency = FaultCatalogue.all["network.latency"]?.descriptor
        let partition = FaultCatalogue.all["network.partition"]?.descriptor
        #expect(throws: DefinitionError.self) {
            try gate.narrow(spec("network.partition"), descriptor: partition)
        }
        let narrowed = try gate.narrow(spec("network.latency"), descriptor: latency)
        #expect(narrowed.options["traffic"] == "10%")
        let less = spec("network.latency", ["traffic": "5%"])
        #expect(try gate.narrow(less, descriptor: latency) == less)
        let error = #expect(throws: DefinitionError.self) {
            try gate.narrow(spec("network.latency", ["traffic": "20%"]), descriptor: latency)
        }
        #expect(error?.problem == "traffic is 20%, over blast_radius.traffic (10%)")
        #expect(try gate.narrow(self.spec(), descriptor: nil) == self.spec())
    }
}
