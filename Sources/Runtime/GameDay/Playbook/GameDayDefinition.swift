// A GameDay as data: which experiments, in which order, what happens between them, and who is asked and told.

package import ChaosModel

/// How a GameDay names an experiment.
package enum ExperimentReference: Sendable, Hashable, Codable, CustomStringConvertible {
    /// A file by its path from the folder of the GameDay, or a name that is looked for beside it.
    case named(String)
    /// A definition of the catalogue; the newest version when none is named.
    case catalogued(name: String, version: Int?)
    /// An experiment that the same file defines, by its title.
    case inline(title: String)

    package var description: String {
        switch self {
        case .named(let name): name.escapedForDisplay
        case .catalogued(let name, let version):
            "catalog \(name.escapedForDisplay)" + (version.map { "@\($0)" } ?? "")
        case .inline(let title): "\"\(title.escapedForDisplay)\""
        }
    }
}

/// Who must say yes, and when they are asked.
package struct ApprovalRule: Sendable, Hashable, Codable {
    /// What a gate stands before.
    package enum Scope: String, Sendable, Hashable, Codable, CaseIterable {
        /// The whole day.
        case day
        /// Each experiment.
        case each
    }

    /// What a gate stands before.
    package var scope: Scope
    /// How many different people must approve.
    package var approvers: Int
    /// How long a gate waits, in milliseconds; then it counts as rejected.
    package var timeoutMs: Double

    /// Makes a rule.
    package init(scope: Scope, approvers: Int = 1, timeoutMs: Double = 900_000) {
        self.scope = scope
        self.approvers = approvers
        self.timeoutMs = timeoutMs
    }
}

/// A GameDay as data; its body, if it has one, stays with the script.
package struct GameDayDefinition: Sendable, Hashable, Codable {
    /// The title.
    package var name: String
    /// Who answers for it.
    package var owner: String?
    /// What it is for.
    package var description: String?
    /// Free words to find it by.
    package var tags: [String] = []
    /// The experiments, in their order; those that a body may run when it has one.
    package var experiments: [ExperimentReference]
    /// How long to wait between two experiments, in milliseconds.
    package var pauseMs: Double = 0
    /// What must be healthy before each experiment; nil to rely on the experiments' own baselines.
    package var health: SteadyStateDefinition?
    /// How long health may take to come back between two experiments, in milliseconds.
    package var recoveryMs: Double = 600_000
    /// Who must approve; nil for nobody.
    package var approval: ApprovalRule?
    /// Who is told.
    package var notifiers: [Notifier] = []
    /// When it runs by itself; nil for by hand only.
    package var schedule: Schedule?
    /// Whether a script's function drives it.
    package var hasBody = false
    /// The file it comes from.
    package var file: String
    /// The digest of that file: `sha256:…`.
    package var digest: String

    /// Makes a GameDay.
    package init(
        name: String,
        experiments: [ExperimentReference],
        file: String,
        digest: String
    ) {
        self.name = name
        self.experiments = experiments
        self.file = file
        self.digest = digest
    }
}
