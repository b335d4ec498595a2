// What went wrong in a fault, a target or the journal, as the runner is told.

import ChaosModel
import ChaosTargets

extension AgentFailure {
    init(_ error: JournalError) {
        self.init(error.isPermission ? .unavailable : .injection, error.description)
    }

    init(_ error: TargetError, fault: String, at location: SourceLocation?) {
        switch error {
        case .noTarget(let problem): self.init(.definition, problem.description)
        case .kernel(let error): self.init(FaultError(error), fault: fault, at: location)
        }
    }

    init(_ error: FaultError, fault: String, at location: SourceLocation?) {
        let kind: Kind =
            switch error {
            case .unavailable: .unavailable
            case .kernel(let error) where error.kind == .notPermitted || error.kind == .unsupported:
                .unavailable
            case .refused: .definition
            case .targetGone, .noEffect, .kernel: .injection
            }
        // Faults that know which capability is missing say the way out themselves.
        let isBareRefusal =
            if case .kernel(let error) = error { error.kind == .notPermitted } else { false }
        let hint = isBareRefusal ? "; run as root, or with --sudo" : ""
        self.init(kind, DefinitionError(fault, error.description + hint, at: location).description)
    }
}
