// How parts of the machine are now. The runner keeps what was before, so that an agent that takes the place of one that
// died can tell what is after.

import ChaosModel

extension Agent {
    /// The state of each part, in the order asked.
    func states(of parts: [StatePart]) async -> [PartState] {
        let kernel = kernel
        return await withTaskGroup(of: (Int, PartState).self) { group in
            var states: [(Int, PartState)] = []
            for (index, part) in parts.enumerated() {
                if index >= Self.partsAtOnce, let done = await group.next() { states.append(done) }
                group.addTask { (index, Self.state(of: part, on: kernel)) }
            }
            for await done in group { states.append(done) }
            return states.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }

    private static let partsAtOnce = 8

    private static func state(of part: StatePart, on kernel: Kernel) -> PartState {
        do throws(KernelError) {
            return PartState(part, try kernel.state.lines(of: part))
        } catch {
            return PartState(part, [], problem: error.description)
        }
    }
}
