// What a person at a prompt may ask of a run beside what scripts may do: what would a fault change, what is in force, how
// are the metrics.

package import ChaosModel

/// A fault in force, as a prompt lists it.
package struct FaultInForce: Sendable, Hashable {
    /// The handle that puts it back.
    package var handle: FaultHandle
    /// The targets on which it is still on.
    package var targets: [Target]
    /// For how long it has been on.
    package var age: Duration
}

/// A watched metric, as a prompt lists it.
package struct WatchedMetric: Sendable, Hashable {
    /// What it is.
    package var metric: MetricDefinition
    /// The last value in its base unit; nil while there is none.
    package var value: Double?
}

/// What a prompt may do to its run.
package protocol PromptControls: RunControls {
    /// What a fault would change, checked as for its injection; nothing is changed.
    func plan(of spec: FaultSpec) async throws(ControlError) -> PlanReply

    /// The faults in force, oldest first.
    func faults() async -> [FaultInForce]

    /// The watched metrics by name.
    func metrics() async -> [WatchedMetric]
}

extension Runner: PromptControls {
    package func plan(of asked: FaultSpec) async throws(ControlError) -> PlanReply {
        try checkRunning()
        let spec = try narrowed(asked)
        let hit = Set(record.openLeases.map(\.target.unit))
        return try await plan(spec, seed: record.seed(for: spec), alreadyHit: hit)
    }

    package func faults() -> [FaultInForce] {
        let open = Set(record.openLeases.map(\.lease))
        return record.injections.compactMap { injection in
            let targets = injection.leases.filter { open.contains($0.lease) }.map(\.target)
            guard !targets.isEmpty else { return nil }
            let age = Duration.milliseconds(offsetNow - injection.atMs)
            return FaultInForce(handle: injection.handle, targets: targets, age: age)
        }
    }

    package func metrics() -> [WatchedMetric] {
        let values = latestValues()
        return record.metrics.map { WatchedMetric(metric: $0, value: values[$0.name]) }
    }
}
