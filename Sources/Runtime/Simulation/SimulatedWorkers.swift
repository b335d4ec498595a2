// How the workers that carry a fault end in memory.

extension SimulatedKernel {
    /// How a fault that a worker carries ended with it; nil when it was ended otherwise.
    func endedEarly(_ isThere: @escaping @Sendable (SimulatedWorld) -> Bool) async -> String? {
        await first { world in
            guard isThere(world) else { return .some(nil) }
            return world.endedWorkers.map { .some($0) }
        } ?? nil
    }
}
