// An experiment as data: what a script's `experiment {…}`, a YAML file or the catalogue say.

/// The limits of a run.
public struct BlastRadius: Sendable, Hashable, Codable {
    /// The largest share of the matching targets, 0…1; nil when not limited by share.
    public var targetShare: Double?
    /// The largest number of targets at once; nil when not limited by number.
    public var targetCount: Int?
    /// The largest share of traffic, 0…1.
    public var traffic: Double
    /// How long any fault may last, in milliseconds.
    public var maxDurationMs: Double

    /// Makes limits; the default is every matching target, all traffic, ten minutes.
    public init(
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
public struct SteadyStateDefinition: Sendable, Hashable, Codable {
    /// The metrics, in the order of their names.
    public var metrics: [MetricDefinition]
    /// The evaluation interval, in milliseconds.
    public var everyMs: Double
    /// How long the baseline is watched before the first fault, in milliseconds.
    public var warmupMs: Double
    /// How long recovery may take after the rollback, in milliseconds.
    public var recoveryMs: Double

    /// Makes a steady state.
    public init(
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
public struct ExperimentDefinition: Sendable, Hashable, Codable {
    /// The title.
    public var name: String
    /// Who answers for it.
    public var owner: String?
    /// What it is for.
    public var description: String?
    /// What is expected to hold, in words.
    public var hypothesis: String?
    /// Free words to find it by.
    public var tags: [String]
    /// What is watched.
    public var steadyState: SteadyStateDefinition
    /// The limits.
    public var blastRadius: BlastRadius
    /// The faults of a declarative experiment; empty when a body injects them.
    public var faults: [FaultSpec]
    /// How long the faults of a declarative experiment stay on, in milliseconds.
    public var durationMs: Double?
    /// Whether a script's function is the body.
    public var hasBody: Bool
    /// The file it comes from.
    public var file: String
    /// The digest of that file: `sha256:…`.
    public var digest: String

    /// Makes an experiment.
    public init(
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
        digest: String = ""
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
    }
}
