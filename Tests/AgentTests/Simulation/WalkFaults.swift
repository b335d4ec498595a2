// What a walk can do to the simulated machine: everything that can be put back exactly.

import ChaosModel
import ChaosSimulation

/// The faults of walks.
enum WalkFaults {
    /// One spec of each fault whose revert restores the machine.
    ///
    /// Far ends are addresses: a name would set one more clock, for looking it up again.
    static let samples: [FaultSpec] = SampleFault.allCases.filter(\.isReversible)
        .filter { ![.cpuLimitV1, .memoryLimitV1, .limitedTransfersV1].contains($0) }
        .map { sample in
            var spec = sample.spec
            if case .string(let end) = spec.options["to"] {
                spec.options["to"] = .string(end.replacing("db.test", with: "10.9.0.3"))
            }
            return spec
        }

    /// A machine that has a target for each.
    static func prepare(_ kernel: SimulatedKernel, _ random: inout SeededGenerator) {
        SampleFault.noop.prepare(kernel)
        if Int.random(in: 0..<4, using: &random) == 0 {
            kernel.setEngines(PacketEngines(working: [.nft], reasons: [.nftOwner: "too old"]))
        }
    }
}
