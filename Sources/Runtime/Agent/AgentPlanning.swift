// Planning faults: what matches, which of it is chosen and allowed, and what would be changed.

import ChaosModel
import ChaosTargets

extension Agent {
    func plan(_ call: AgentCall.PlanCall) async throws(AgentFailure) -> PlanReply {
        let (fault, _) = try instance(of: call.spec)
        let touches = catalogue[call.spec.fault]?.touches
        let candidates = try await candidates(for: call.spec)
        // The selector said that this is no error.
        if candidates.isEmpty { return PlanReply(candidates: 0, targets: []) }
        let chosen: [Candidate]
        do throws(ParameterProblem) {
            chosen = try call.limit.choose(from: candidates, seed: call.seed)
        } catch {
            let problem = DefinitionError(
                call.spec.fault,
                "\(call.spec.target) \(error.text)",
                at: call.spec.location
            )
            throw AgentFailure(.definition, problem.description)
        }
        try await enforcePolicy(on: call.spec, chosen.flatMap(\.parts), of: candidates)
        var planned: [PlannedTarget] = []
        var known: Set<TargetIdentity> = []
        // Two containers of a pod are one network namespace.
        for target in chosen.flatMap(\.parts) where known.insert(target.identity).inserted {
            // Whether another run holds it is said before anything is hit; it is locked when that is done.
            unlock(try lock(target, for: call.spec))
            let plan = try await plan(
                fault,
                call.spec,
                target,
                lease: Self.previewLease,
                seed: call.seed
            )
            planned.append(
                PlannedTarget(
                    target: target,
                    changes: plan.changes,
                    heldBy: plan.holder,
                    engine: plan.engine,
                    touches: touches?(plan.undo) ?? []
                )
            )
        }
        return PlanReply(candidates: candidates.count, targets: planned)
    }

    /// The lease of plans that nothing follows.
    private static var previewLease: LeaseID { LeaseID("planned") }

    /// What matches now.
    func candidates(for spec: FaultSpec) async throws(AgentFailure) -> [Candidate] {
        do throws(TargetError) {
            return try await resolver.candidates(
                spec.target,
                reach: catalogue[spec.fault]?.descriptor.reach ?? .processes
            )
        } catch {
            throw AgentFailure(error, fault: spec.fault, at: spec.location)
        }
    }

    func instance(of spec: FaultSpec) throws(AgentFailure) -> (FaultInstance, Parameters) {
        do throws(DefinitionError) {
            return try catalogue.instance(spec)
        } catch {
            throw AgentFailure(.definition, error.description)
        }
    }

    func plan(
        _ fault: FaultInstance,
        _ spec: FaultSpec,
        _ target: Target,
        lease: LeaseID,
        seed: UInt64
    ) async throws(AgentFailure) -> FaultPlan<AnyUndo> {
        let protection: String?
        do throws(TargetError) {
            protection = try resolver.protection(of: target)
        } catch {
            throw AgentFailure(error, fault: spec.fault, at: spec.location)
        }
        if let protection {
            throw AgentFailure(
                .definition,
                "\(spec.fault): \(target) is protected: it is \(protection)"
            )
        }
        let context = PlanContext(
            lease: lease,
            protectedEndpoints: greeting?.protectedEndpoints ?? [],
            seed: seed,
            stateDirectory: store.folder,
            isPreview: lease == Self.previewLease
        )
        do throws(FaultError) {
            return try await fault.plan(target, context, kernel)
        } catch {
            throw AgentFailure(error, fault: spec.fault, at: spec.location)
        }
    }
}
