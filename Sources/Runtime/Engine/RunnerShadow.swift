// A shadow run: each fault is replaced by what counts its packets, and what has none is left out and said to be.

import ChaosModel

extension Runner {
    /// What stands for a fault in this run: itself, or what shadows it.
    func shadowed(_ spec: FaultSpec) -> FaultSpec {
        guard mode == .shadow else { return spec }
        var shadow = spec
        shadow.fault = shadowPrefix + spec.fault
        return shadow
    }

    /// Why a fault is left out of this run; nil when it is not.
    func shadowAbsence(of spec: FaultSpec) -> String? {
        guard mode == .shadow, !hasShadow(spec) else { return nil }
        return "\(spec.fault) is left out of a shadow run: it hits no packets that could be counted"
    }

    /// Why a shadow run of this experiment means nothing; nil when it does not.
    var shadowProblem: DefinitionError? {
        guard mode == .shadow, !rehearsal.faults.contains(where: hasShadow) else { return nil }
        let names = Set(rehearsal.faults.map(\.fault)).sorted().joined(separator: ", ")
        return DefinitionError(
            "--shadow",
            "counts the packets that faults of network and dns would hit, and this experiment has "
                + (names.isEmpty ? "no fault" : "none of these (\(names))")
        )
    }

    private func hasShadow(_ spec: FaultSpec) -> Bool {
        surroundings.faults[shadowPrefix + spec.fault] != nil
    }
}

extension RunOutcome {
    /// The answer of a shadow run that came to its end: what would have been hit, and no word on the hypothesis.
    static func shadow(_ record: RunRecord) -> (Verdict, ExitCode, [String]) {
        var counts: [String] = []
        var hitsAll = true
        for injection in record.injections {
            let fault = shadowedFault(injection.spec.fault)
            for lease in injection.leases {
                let effect = record.reverts[lease.lease]?.record.effect
                counts.append(
                    "\(fault) on \(lease.target): \(effect?.seen ?? "nothing was counted")"
                )
                hitsAll = hitsAll && effect?.hit == true
            }
        }
        hitsAll = hitsAll && !counts.isEmpty
        let leftOut = record.injections.filter(\.leases.isEmpty).map {
            "\($0.spec.fault) was left out"
        }
        let head =
            "shadow run: nothing was harmed, so the hypothesis was not tested"
            + (hitsAll ? "" : "; no traffic matched at least one fault")
        return (.inconclusive, hitsAll ? .held : .inconclusive, [head] + counts + leftOut)
    }
}
