// The actual blast radius: how much is really hit, asked of the agent each interval while faults are on. What was
// within the limits when it was made may exceed them later, when targets that were left alone end.

import ChaosModel

extension Runner {
    /// Begins to look, once, with the first fault.
    func startSurveying() {
        guard !isSurveying else { return }
        isSurveying = true
        samplers.append(
            Task {
                let every = Duration.milliseconds(
                    max(100, record.experiment.steadyState.everyMs)
                )
                while !Task.isCancelled {
                    guard (try? await surroundings.time.sleep(for: every)) != nil else { return }
                    await survey()
                }
            }
        )
    }

    /// Looks once how much is hit, and stops the run when it is too much.
    private func survey() async {
        guard machine.isGuarded, !record.openLeases.isEmpty, let client else { return }
        // A lost agent is told by itself.
        guard let found = try? await client.survey() else { return }
        for radius in found {
            guard
                let injection = record.injections.first(where: { injection in
                    injection.leases.contains { radius.leases.contains($0.lease) }
                }),
                injection.spec.target.kind != .host || injection.spec.declaredTraffic != nil
            else { continue }
            note(radius, of: injection.spec)
            guard machine.isGuarded, let excess = gate.excess(radius, of: injection.spec) else {
                continue
            }
            stop(.rule(excess.text), by: AbortTrigger(cause: .radius, rule: excess.rule))
        }
    }

    private func note(_ radius: RadiusRecord, of spec: FaultSpec) {
        var now = RunReport.RadiusReport(
            fault: spec.fault,
            leases: radius.leases,
            declaredShare: gate.declaredShare(of: spec),
            candidates: radius.candidates,
            hit: radius.hit,
            atMs: offsetNow
        )
        now.declaredTraffic = spec.declaredTraffic
        now.traffic = radius.traffic
        let index = record.radius.firstIndex { !Set($0.leases).isDisjoint(with: radius.leases) }
        guard let index else { return record.radius.append(now) }
        // Traffic is counted from the beginning, so that the last count is the best.
        let traffic = now.traffic ?? record.radius[index].traffic
        if now.share > record.radius[index].share { record.radius[index] = now }
        record.radius[index].traffic = traffic
    }

    /// Notes what is hit as a fault is made, which a short fault's first look may miss.
    func noteRadius(of plan: PlanReply, _ leases: [LeaseRecord], _ spec: FaultSpec) {
        guard spec.target.kind != .host || spec.declaredTraffic != nil else { return }
        let hit = RadiusRecord(
            leases: leases.map(\.lease),
            candidates: plan.candidates,
            hit: plan.units.count
        )
        note(hit, of: spec)
    }

    // MARK: Growth

    /// Refuses an injection that would hit more targets than its plan had.
    func checkGrowth(_ plan: PlanReply, of spec: FaultSpec) throws(ControlError) {
        guard let planned = plannedUnits[spec], plan.units.count > planned else { return }
        let problem =
            "would hit \(plan.units.count) of \(plan.candidates) matching targets, but the plan had "
            + "\(planned): the set has grown since, so it is not what was checked; run again"
        throw .definition(DefinitionError(spec.fault, problem, at: spec.location))
    }
}

extension RunReport.RadiusReport {
    /// The share that is hit.
    fileprivate var share: Double { candidates == 0 ? 0 : Double(hit) / Double(candidates) }
}
