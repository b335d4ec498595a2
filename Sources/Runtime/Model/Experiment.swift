// An experiment as data: what a script's `experiment {…}`, a YAML file or the catalogue say.

/// The limits of a run.
package struct BlastRadius: Sendable, Hashable, Codable {
    /// The largest share of the matching targets, 0…1; nil when not limited by share.
    package var targetShare: Double?
    /// The largest number of targets at once; nil when not limited by number.
    package var targetCount: Int?
    /// The largest share of traffic, 0…1.
    package var traffic: Double
    /// How long any fault may last, in milliseconds.
    package var maxDurationMs: Double

    /// Makes limits; the default is every matching target, all traffic, ten minutes.
    package init(
        targetShare: Double? = nil,
        targetCount: Int? = nil,
        traffic: Double = 1,
        maxDurationMs: Double = 600_000
    ) {
        self.targetShare = targetShare
        self.targetCount = targetCount
        self.traffic = traffic
        self.maxDurationMs = maxDurationMs
    }
}

/// The steady state: which metrics, how often, for how long.
package struct SteadyStateDefinition: Sendable, Hashable, Codable {
    /// The metrics, in the order of their names.
    package var metrics: [MetricDefinition]
    /// The evaluation interval, in milliseconds.
    package var everyMs: Double
    /// How long the baseline is watched before the first fault, in milliseconds.
    package var warmupMs: Double
    /// How long recovery may take after the rollback, in milliseconds.
    package var recoveryMs: Double

    /// Makes a steady state.
    package init(
        metrics: [MetricDefinition] = [],
        everyMs: Double = 1000,
        warmupMs: Double = 0,
        recoveryMs: Double = 30_000
    ) {
        self.metrics = metrics
        self.everyMs = everyMs
        self.warmupMs = warmupMs
        self.recoveryMs = recoveryMs
    }
}

/// An experiment as data; its body, if it has one, stays with the script.
package struct ExperimentDefinition: Sendable, Hashable, Codable {
    /// The title.
    package var name: String
    /// Who answers for it.
    package var owner: String?
    /// What it is for.
    package var description: String?
    /// What is expected to hold, in words.
    package var hypothesis: String?
    /// Free words to find it by.
    package var tags: [String]
    /// What is watched.
    package var steadyState: SteadyStateDefinition
    /// The limits.
    package var blastRadius: BlastRadius
    /// The faults of a declarative experiment; empty when a body injects them.
    package var faults: [FaultSpec]
    /// How long the faults of a declarative experiment stay on, in milliseconds.
    package var durationMs: Double?
    /// Whether a script's function is the body.
    package var hasBody: Bool
    /// The file it comes from.
    package var file: String
    /// The digest of that file, and of the modules beside it that it names: `sha256:…`.
    package var digest: String
    /// The version that it has in the catalogue, when it comes from there.
    package var version: Int?
    /// The parameters that it declares, with the values of this run.
    package var parameters: [String: ParameterValue]

    /// Makes an experiment.
    package init(
        name: String,
        owner: String? = nil,
        description: String? = nil,
        hypothesis: String? = nil,
        tags: [String] = [],
        steadyState: SteadyStateDefinition = SteadyStateDefinition(),
        blastRadius: BlastRadius = BlastRadius(),
        faults: [FaultSpec] = [],
        durationMs: Double? = nil,
        hasBody: Bool = false,
        file: String,
        digest: String = "",
        parameters: [String: ParameterValue] = [:]
    ) {
        self.name = name
        self.owner = owner
        self.description = description
        self.hypothesis = hypothesis
        self.tags = tags
        self.steadyState = steadyState
        self.blastRadius = blastRadius
        self.faults = faults
        self.durationMs = durationMs
        self.hasBody = hasBody
        self.file = file
        self.digest = digest
        self.parameters = parameters
    }
}
