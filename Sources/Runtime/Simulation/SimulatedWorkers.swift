// How the workers that carry a fault end in memory.

extension SimulatedKernel {
    /// How a fault that a worker carries ended with it; nil when it was ended otherwise.
    ///
    /// Polled, with a bound: the simulated world tells nobody when it changes.
    func endedEarly(_ isThere: (SimulatedWorld) -> Bool) async -> String? {
        for _ in 0..<10_000 {
            let world = world
            guard isThere(world), !Task.isCancelled else { return nil }
            if let end = world.endedWorkers { return end }
            guard (try? await Task.sleep(for: .milliseconds(1))) != nil else { return nil }
        }
        return nil
    }
}
