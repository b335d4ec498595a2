// The texts of a report come from scripts, servers and commands, any of which may repeat a secret.

extension RunReport {
    /// The report with each secret in its texts masked.
    package func masked(by redactor: Redactor) -> RunReport {
        guard !redactor.isEmpty else { return self }
        var copy = self
        copy.definition = definition.masked(by: redactor)
        copy.reasons = reasons.map(redactor.mask)
        copy.error = error.map { error in
            ErrorReport(
                message: redactor.mask(error.message),
                traceback: error.traceback.map(redactor.mask)
            )
        }
        copy.abort?.reason = redactor.mask(abort?.reason ?? "")
        copy.proof.reverts = proof.reverts.map(redactor.mask)
        copy.proof.state = proof.state.map { $0.masked(by: redactor) }
        copy.proof.leaked = proof.leaked.map(redactor.mask)
        for index in copy.phases.indices {
            copy.phases[index].outcome = redactor.mask(phases[index].outcome)
        }
        for index in copy.metrics.indices {
            for sample in copy.metrics[index].samples.indices {
                let note = metrics[index].samples[sample].note
                copy.metrics[index].samples[sample].note = note.map(redactor.mask)
            }
        }
        for index in copy.faults.indices {
            copy.faults[index].asked = faults[index].asked.mapValues(redactor.mask)
            copy.faults[index].verified.seen = redactor.mask(faults[index].verified.seen)
            copy.faults[index].measured?.seen = redactor.mask(faults[index].measured?.seen ?? "")
            copy.faults[index].seen = faults[index].seen.map(redactor.mask)
            copy.faults[index].endedEarly?.seen = redactor.mask(
                faults[index].endedEarly?.seen ?? ""
            )
        }
        for index in copy.checks.indices {
            copy.checks[index].condition = redactor.mask(checks[index].condition)
        }
        for index in copy.timeline.indices {
            copy.timeline[index].text = redactor.mask(timeline[index].text)
        }
        return copy
    }
}

extension RunReport.StateProof {
    /// The proof with each secret in its texts masked.
    fileprivate func masked(by redactor: Redactor) -> RunReport.StateProof {
        var copy = self
        copy.before = before.map(redactor.mask)
        copy.after = after.map(redactor.mask)
        copy.differences = differences.map(redactor.mask)
        return copy
    }
}

extension RunReport.Definition {
    /// The definition with each secret in its texts masked.
    fileprivate func masked(by redactor: Redactor) -> RunReport.Definition {
        var copy = self
        copy.name = redactor.mask(name)
        copy.owner = owner.map(redactor.mask)
        copy.hypothesis = hypothesis.map(redactor.mask)
        copy.description = description.map(redactor.mask)
        copy.tags = tags.map(redactor.mask)
        copy.parameters = parameters?.mapValues(redactor.mask)
        return copy
    }
}
