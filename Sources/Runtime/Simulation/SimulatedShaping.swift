// Shaping rules in memory, and what each engine is said not to be able to do.

package import ChaosModel

extension SimulatedKernel: TrafficShapingPort {
    package func engines(in namespace: NetworkNamespace) throws(KernelError) -> ShapingEngines {
        try call("shapingEngines") { state throws(KernelError) in
            let missing = ShapingEngine.allCases.filter { !state.shapingEngines.contains($0) }
            return ShapingEngines(
                working: state.shapingEngines,
                reasons: Dictionary(uniqueKeysWithValues: missing.map { ($0, "not here") })
            )
        }
    }

    package func obstacle(
        to rules: ShapingRules,
        with engine: ShapingEngine,
        in namespace: NetworkNamespace
    ) throws(KernelError) -> String? {
        try call("shapingObstacle") { state throws(KernelError) in state.obstacles[engine] }
    }

    package func remarks(on rules: ShapingRules, with engine: ShapingEngine) -> [String] { [] }

    package func shape(
        _ rules: ShapingRules,
        with engine: ShapingEngine,
        in namespace: NetworkNamespace
    ) async throws(KernelError) {
        try call("shape") { state throws(KernelError) in
            state.world.shapes[namespace.inode, default: [:]][rules.name] = rules
        }
    }

    package func widen(
        _ name: String,
        by matches: [PacketMatch],
        with engine: ShapingEngine,
        in namespace: NetworkNamespace
    ) async throws(KernelError) {
        try call("widen") { state throws(KernelError) in
            guard state.world.shapes[namespace.inode]?[name] != nil else {
                throw KernelError(.failed, "widen \(name)", "it is not in force")
            }
            state.world.shapes[namespace.inode]?[name]?.match += matches
        }
    }

    package func unshape(
        _ name: String,
        with engine: ShapingEngine,
        in namespace: NetworkNamespace
    ) async throws(KernelError) {
        try call("unshape") { state throws(KernelError) in
            state.world.shapes[namespace.inode]?[name] = nil
        }
    }

    package func count(
        _ name: String,
        with engine: ShapingEngine,
        in namespace: NetworkNamespace
    ) async throws(KernelError) -> ShapingCount? {
        try call("shapingCount") { state throws(KernelError) in
            state.world.shapes[namespace.inode]?[name] == nil
                ? nil : ShapingCount(matched: 3, traffic: state.traffic)
        }
    }

    package func endedEarly(_ name: String, with engine: ShapingEngine) async -> String? {
        await endedEarly { $0.shapes.values.contains { $0[name] != nil } }
    }
}
