import ChaosEngine
import ChaosModel
import Testing

@Suite(.serialized)
struct `The proof of a run` {
    private static let partition = FaultSpec(
        fault: "network.partition",
        target: TargetSelector(kind: .netns, options: ["name": "shop"]),
        options: ["to": "10.9.0.3"]
    )

    /// Injects both, puts them back, and lets something happen after.
    private func report(
        _ simulated: SimulatedRun,
        then change: @escaping @Sendable (SimulatedRun) -> Void
    ) async -> RunReport {
        await simulated.runner { controls throws(BodyError) in
            for spec in [SimulatedRun.pause, Self.partition] {
                _ = try await primitive { () throws(ControlError) in
                    try await controls.inject(spec)
                }
            }
            try await primitive { () throws(ControlError) in try await controls.rollback(nil) }
            change(simulated)
        }.run()
    }

    @Test
    func `has what the faults touch, before and after, and no difference`() async {
        let report = await report(SimulatedRun()) { _ in }
        #expect(report.restoration == .restored)
        #expect(
            report.proof.state.map(\.part) == [
                "process 101", "process 102", "network namespace /run/netns/shop",
            ]
        )
        for part in report.proof.state {
            #expect(part.before == part.after && part.differences.isEmpty && part.problem == nil)
        }
        #expect(report.proof.state[0].before.contains("state: runs"))
    }

    @Test
    func `finds what is left although every fault says that it is back`() async {
        let report = await report(SimulatedRun()) { simulated in
            simulated.kernel.change { $0.processes[101]?.state = "T" }
        }
        #expect(report.faults.allSatisfy { $0.outcome == .reverted })
        #expect(report.restoration == .leaked && report.exitCode == 4)
        #expect(report.proof.leaked == ["process 101: state: runs -> stopped"])
        #expect(report.reasons.first == "process 101: state: runs -> stopped")
    }

    @Test
    func `tells what somebody else has changed, which is no leak`() async {
        let report = await report(SimulatedRun()) { simulated in
            let shop = NetworkNamespace(path: "/run/netns/shop", inode: 77)
            let rules = PacketRules(name: "docker", pass: [], drop: [])
            try? simulated.kernel.add(rules, with: .nft, in: shop)
        }
        #expect(report.restoration == .restored && report.proof.leaked.isEmpty)
        let differences = report.proof.state.flatMap(\.differences)
        #expect(
            differences == [
                "table docker: none -> there (changed meanwhile, by none of the faults)"
            ]
        )
    }

    @Test
    func `outlives the agent`() async {
        let simulated = SimulatedRun()
        let report = await simulated.runner { controls throws(BodyError) in
            _ = try await primitive { () throws(ControlError) in
                try await controls.inject(SimulatedRun.pause)
            }
            simulated.killAgentOnce()
            try await primitive { () throws(ControlError) in
                try await controls.wait(.seconds(600))
            }
        }.run()
        #expect(report.restoration == .restored)
        #expect(report.proof.state.count == 2)
        #expect(report.proof.state.allSatisfy { $0.differences.isEmpty && $0.problem == nil })
    }
}
