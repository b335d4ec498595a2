// The proof that everything is back: what a run can touch is read before its first fault and after the rollback, as text,
// and compared. It is read by the agent, and kept here, so that it outlives an agent that dies.

import ChaosModel

extension Runner {
    /// Reads the parts of a plan that were not read yet.
    func readBefore(_ plan: PlanReply) async throws(ControlError) {
        var seen = Set(record.parts)
        let new = plan.targets.flatMap(\.touches).filter { seen.insert($0).inserted }
        guard !new.isEmpty else { return }
        let states = try await withAgent { client throws(AgentFailure) in
            try await client.state(of: new)
        }
        for state in states { record.before[state.part] = state }
        record.parts += new
    }

    /// Reads the same parts after the rollback.
    ///
    /// What the kernel frees a moment later is waited for.
    func readAfter() async {
        guard !record.parts.isEmpty, let client else { return }
        for attempt in 1...Self.mostReadings {
            do throws(AgentFailure) {
                record.compare(after: try await client.state(of: record.parts))
            } catch {
                return emit(.warning, "the state after the rollback could not be read: \(error)")
            }
            guard !record.comparisons.allSatisfy({ $0.differences.isEmpty }) else { break }
            guard attempt < Self.mostReadings,
                (try? await surroundings.time.sleep(for: Self.betweenReadings)) != nil
            else { break }
        }
        for leak in record.stateLeaks { emit(.leaked, leak) }
    }

    private static let mostReadings = 6
    private static let betweenReadings = Duration.milliseconds(50)
}

extension RunRecord {
    /// Compares each part, as it is after the rollback, with how it was before.
    mutating func compare(after states: [PartState]) {
        comparisons = states.compactMap { state in
            before[state.part].map { StateComparison(before: $0, after: state, run: runID) }
        }
    }

    /// What faults of this run have left, as the state shows.
    var stateLeaks: [String] {
        comparisons.flatMap { comparison in
            comparison.differences.filter(\.isLeak).map { "\(comparison.before.part): \($0)" }
        }
    }
}
