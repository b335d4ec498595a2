// The texts of a day come from scripts, people and servers, any of which may repeat a secret.

package import ChaosModel

extension GameDayReport {
    /// The report with each secret in its texts masked; those of its runs were masked with the runs.
    package func masked(by redactor: Redactor) -> GameDayReport {
        guard !redactor.isEmpty else { return self }
        var copy = self
        copy.definition.name = redactor.mask(definition.name)
        copy.definition.owner = definition.owner.map(redactor.mask)
        copy.definition.description = definition.description.map(redactor.mask)
        copy.definition.tags = definition.tags.map(redactor.mask)
        copy.definition.experiments = definition.experiments.map { $0.masked(by: redactor) }
        copy.definition.notifiers = definition.notifiers.map { $0.masked(by: redactor) }
        for index in (definition.health?.metrics ?? []).indices {
            let options = definition.health?.metrics[index].options ?? [:]
            copy.definition.health?.metrics[index].options = options.mapValues(redactor.mask)
        }
        copy.reasons = reasons.map(redactor.mask)
        for index in copy.experiments.indices {
            copy.experiments[index].reference = experiments[index].reference.masked(by: redactor)
            copy.experiments[index].title = redactor.mask(experiments[index].title)
            copy.experiments[index].reason = redactor.mask(experiments[index].reason)
        }
        for gate in copy.gates.indices {
            copy.gates[gate].outcome = redactor.mask(gates[gate].outcome)
            for answer in copy.gates[gate].answers.indices {
                let comment = gates[gate].answers[answer].comment
                copy.gates[gate].answers[answer].comment = comment.map(redactor.mask)
            }
        }
        for index in copy.timeline.indices {
            copy.timeline[index].text = redactor.mask(timeline[index].text)
        }
        for index in copy.recommendations.indices {
            let item = recommendations[index]
            copy.recommendations[index].experiment = redactor.mask(item.experiment)
            copy.recommendations[index].finding = redactor.mask(item.finding)
            copy.recommendations[index].advice = redactor.mask(item.advice)
        }
        for index in copy.notifications.indices {
            copy.notifications[index].notifier = redactor.mask(notifications[index].notifier)
            let failure = notifications[index].failure
            copy.notifications[index].failure = failure.map(redactor.mask)
        }
        return copy
    }
}

extension ExperimentReference {
    /// The reference with each secret in it masked.
    func masked(by redactor: Redactor) -> ExperimentReference {
        switch self {
        case .named(let name): .named(redactor.mask(name))
        case .catalogued(let name, let version):
            .catalogued(name: redactor.mask(name), version: version)
        case .inline(let title): .inline(title: redactor.mask(title))
        }
    }
}

extension Notifier {
    fileprivate func masked(by redactor: Redactor) -> Notifier {
        switch self {
        case .webhook(let url, let headers):
            return .webhook(url: redactor.mask(url), headers: headers.mapValues(redactor.mask))
        case .email(var email):
            email.to = email.to.map(redactor.mask)
            email.from = redactor.mask(email.from)
            email.via = redactor.mask(email.via)
            email.user = email.user.map(redactor.mask)
            return .email(email)
        case .command(let arguments): return .command(arguments.map(redactor.mask))
        }
    }
}
