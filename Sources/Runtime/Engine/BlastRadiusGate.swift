// The blast radius: what a fault may hit, decided before it is made.
//
// A fault that does not say how many of its matches it means gets the limits of the radius; one that says more
// than the radius allows is refused. Pure functions.

package import ChaosModel

/// The gate that every fault passes before it is made.
package struct BlastRadiusGate: Sendable {
    private let radius: BlastRadius

    /// Makes a gate for a radius.
    package init(_ radius: BlastRadius) { self.radius = radius }

    /// How many of the matches are asked for.
    package func limit(for spec: FaultSpec) throws(DefinitionError) -> SelectionLimit {
        let options = try spec.target.validated()
        var limit = SelectionLimit(
            count: options[TargetOptions.count],
            share: options[TargetOptions.percent],
            atLeast: options[TargetOptions.atLeast]
        )
        if spec.target.kind == .host { return limit }
        if limit.count == nil, limit.share == nil {
            limit.count = nil
            limit.share = radius.targetShare
        }
        return limit
    }

    /// How long the lease may last.
    package func deadline(for spec: FaultSpec) throws(DefinitionError) -> Duration {
        let longest = Duration.milliseconds(radius.maxDurationMs)
        guard let asked = spec.options[FaultDescriptor.duration.name] else { return longest }
        let duration: Duration
        do throws(ParameterProblem) {
            duration = try FaultDescriptor.duration.kind.parse(asked)
        } catch {
            throw refusal(spec, "duration \(error.text)")
        }
        guard duration <= longest else {
            throw refusal(
                spec,
                "duration is \(duration.spelled), over blast_radius.max_duration (\(longest.spelled))"
            )
        }
        return duration
    }

    /// Refuses a plan that hits more than the radius allows, counting what is hit already.
    package func admit(
        _ plan: PlanReply,
        of spec: FaultSpec,
        alreadyHit: Set<TargetIdentity>
    ) throws(DefinitionError) {
        guard spec.target.kind != .host else { return }
        let planned = plan.units
        let hit = alreadyHit.union(planned)
        if let most = radius.targetCount, hit.count > most {
            throw refusal(
                spec,
                "would hit \(hit.count) targets, over blast_radius.targets (\(most))"
            )
        }
        guard let share = radius.targetShare else { return }
        let most = Int(share * Double(plan.candidates) + 1e-9)
        let chosen = planned.count
        guard chosen > most, chosen > atLeast(spec) else { return }
        let percent = MetricUnit.share.spelled(share)
        throw refusal(
            spec,
            "would hit \(chosen) of \(plan.candidates) matching targets, over blast_radius.targets "
                + "(\(percent), which is \(most))"
        )
    }

    /// The fault, narrowed to the radius' share of traffic.
    ///
    /// One that says how much it hits is refused when that is more, and one that cannot be narrowed is refused.
    package func narrow(
        _ spec: FaultSpec,
        descriptor: FaultDescriptor?
    ) throws(DefinitionError) -> FaultSpec {
        guard radius.traffic < 1, spec.fault.hasPrefix("network.") else { return spec }
        let most = MetricUnit.share.spelled(radius.traffic)
        guard descriptor?.parameters.contains(where: { $0.name == Self.traffic }) == true else {
            throw refusal(
                spec,
                "cannot be limited to blast_radius.traffic (\(most)): it hits all packets that match"
            )
        }
        guard case .string(let asked) = spec.options[Self.traffic] else {
            var narrowed = spec
            narrowed.options[Self.traffic] = .string(most)
            return narrowed
        }
        guard let share = Units.share(asked), share <= radius.traffic else {
            throw refusal(spec, "traffic is \(asked), over blast_radius.traffic (\(most))")
        }
        return spec
    }

    private static let traffic = "traffic"

    private func atLeast(_ spec: FaultSpec) -> Int {
        guard case .number(let number) = spec.target.options[TargetOptions.atLeast.name] else {
            return 0
        }
        return Int(number)
    }

    private func refusal(_ spec: FaultSpec, _ problem: String) -> DefinitionError {
        DefinitionError(spec.fault, problem, at: spec.location)
    }
}
