// The blast radius: what a fault may hit, decided before it is made.
//
// A fault that does not say how many of its matches it means gets the limits of the radius; one that says more
// than the radius allows is refused. Pure functions.

package import ChaosModel

/// The gate that every fault passes before it is made.
package struct BlastRadiusGate: Sendable {
    private let radius: BlastRadius
    /// The policy in force; the agent enforces it, so this only narrows what says nothing itself.
    private let policy: Policy

    /// Makes a gate for a radius under a policy.
    package init(_ radius: BlastRadius, policy: Policy = Policy()) {
        self.radius = radius
        self.policy = policy
    }

    private var share: Double? {
        [radius.targetShare, policy.maxTargetShare?.value].compactMap { $0 }.min()
    }

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
            limit.share = share
        }
        return limit
    }

    /// How long the lease may last.
    package func deadline(for spec: FaultSpec) throws(DefinitionError) -> Duration {
        let longest = Duration.milliseconds(radius.maxDurationMs)
        guard let asked = spec.options[FaultDescriptor.duration.name] else {
            let allowed = policy.maxDurationMs.map { Duration.milliseconds($0.value) }
            return min(longest, allowed ?? longest)
        }
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

    /// What sets the deadline of a fault that has no duration of its own.
    package var deadlineRule: String {
        let allowed = policy.maxDurationMs?.value ?? .infinity
        return allowed < radius.maxDurationMs
            ? "the policy's max_duration" : "blast_radius.max_duration"
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
        let traffic = min(radius.traffic, policy.maxTraffic?.value ?? 1)
        guard traffic < 1, spec.hasTraffic else { return spec }
        let most = MetricUnit.share.spelled(traffic)
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
        guard let share = Units.share(asked), share <= traffic else {
            throw refusal(spec, "traffic is \(asked), over blast_radius.traffic (\(most))")
        }
        return spec
    }

    /// The share of its matches that a fault may hit: its own, else that of the radius; nil when not limited.
    package func declaredShare(of spec: FaultSpec) -> Double? {
        if spec.target.kind == .host { return nil }
        if case .string(let text)? = spec.target.options[TargetOptions.percent.name] {
            return Units.share(text)
        }
        let isCounted = spec.target.options[TargetOptions.count.name] != nil
        return isCounted ? radius.targetShare : share
    }

    /// More than was declared: in words, and by which limit.
    package struct Excess: Sendable, Hashable {
        package var text: String
        package var rule: String
    }

    /// Why what is really hit is more than was declared; nil when it is not.
    package func excess(_ found: RadiusRecord, of spec: FaultSpec) -> Excess? {
        targetExcess(found, of: spec) ?? trafficExcess(found, of: spec)
    }

    private func targetExcess(_ found: RadiusRecord, of spec: FaultSpec) -> Excess? {
        guard let share = declaredShare(of: spec), share < 1 else { return nil }
        let most = max(Int(share * Double(found.candidates) + 1e-9), atLeast(spec))
        guard found.hit > most else { return nil }
        let text =
            "\(spec.fault) now hits \(found.hit) of \(found.candidates) matching targets, over the declared "
            + "\(MetricUnit.share.spelled(share)), which is \(most)"
        return Excess(text: text, rule: "blast_radius.targets")
    }

    private func trafficExcess(_ found: RadiusRecord, of spec: FaultSpec) -> Excess? {
        guard let traffic = found.traffic, let declared = spec.declaredTraffic,
            traffic.exceeds(declared)
        else { return nil }
        let text =
            "\(spec.fault) has hit \(traffic.hit) of \(traffic.matched) matching \(traffic.unit.rawValue) "
            + "(\(MetricUnit.share.spelled(traffic.share))), over the declared "
            + "\(MetricUnit.share.spelled(declared)) by more than chance explains"
        return Excess(text: text, rule: "blast_radius.traffic")
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
