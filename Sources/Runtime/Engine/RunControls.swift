// What a body (a script, or a declarative experiment) may do to its run. The engine implements it for a real run;
// the rehearsal implements it without touching anything.

package import ChaosModel

/// A fault in force, as a body knows it.
package struct FaultHandle: Sendable, Hashable {
    /// The number of the injection within its run, counted from 1.
    package var number: Int
    /// The name of the fault.
    package var fault: String
    /// The targets that were hit.
    package var targets: [Target]

    /// Makes a handle.
    package init(number: Int, fault: String, targets: [Target]) {
        self.number = number
        self.fault = fault
        self.targets = targets
    }
}

/// The answer to `check_metric`.
package struct CheckResult: Sendable, Hashable {
    /// Whether the condition held; nil when a value was missing.
    package var held: Bool?
    /// The values that it was judged by, in base units.
    package var values: [String: Double]
    /// How long it took until it held, or until the time allowed was over.
    package var took: Duration

    /// Makes an answer.
    package init(held: Bool?, values: [String: Double], took: Duration = .zero) {
        self.held = held
        self.values = values
        self.took = took
    }
}

/// Why a primitive did not do what it was asked.
package enum ControlError: Error, Sendable, CustomStringConvertible {
    /// The run is being stopped: the body has to end.
    case stopped(reason: String)
    /// The definition is wrong.
    case definition(DefinitionError)
    /// The agent or a metric could not do it.
    case failed(AgentFailure)

    package var description: String {
        switch self {
        case .stopped(let reason): "the run is being stopped: \(reason)"
        case .definition(let error): error.description
        case .failed(let failure): failure.message
        }
    }
}

/// A rule that a function of the body decides.
package typealias RuleFunction = @Sendable () async throws -> Bool

/// What a body may do.
package protocol RunControls: Sendable {
    /// Declares what is watched; only before the first fault, and only in plain scripts.
    func watch(_ steadyState: SteadyStateDefinition) async throws(ControlError)

    /// Makes a fault; checks the baseline first if that was not done.
    func inject(_ spec: FaultSpec) async throws(ControlError) -> FaultHandle

    /// Puts a fault back, or all of them.
    func rollback(_ handle: FaultHandle?) async throws(ControlError)

    /// Whether a condition holds on values sampled now, or comes to hold within a time; a false one that counts fails
    /// the hypothesis.
    func check(
        _ condition: Condition,
        within limit: Duration,
        counts: Bool,
        at location: SourceLocation?
    ) async throws(ControlError) -> CheckResult

    /// The same for one metric with its own threshold, which need not be among the watched ones.
    func check(
        _ metric: MetricDefinition,
        within limit: Duration,
        counts: Bool
    ) async throws(ControlError) -> CheckResult

    /// Arms a rule that aborts the run when it holds.
    func abort(if condition: Condition, at location: SourceLocation?) async throws(ControlError)

    /// Arms a rule that a function decides, evaluated every interval.
    func abort(if rule: @escaping RuleFunction, named name: String) async throws(ControlError)

    /// Aborts the run now.
    func abort(reason: String) async throws(ControlError)

    /// Waits; ends early only when the run is stopped.
    func wait(_ span: Duration) async throws(ControlError)

    /// Puts a human observation on the time line.
    func observe(_ text: String) async

    /// Puts a line of the script's own on the time line.
    func log(_ text: String) async
}

extension RunControls {
    /// Whether a condition holds on values sampled now.
    package func check(
        _ condition: Condition,
        at location: SourceLocation?
    ) async throws(ControlError) -> CheckResult {
        try await check(condition, within: .zero, counts: true, at: location)
    }
}

/// What is run between baseline and rollback.
package protocol RunBody: Sendable {
    /// Runs to its end.
    ///
    /// - Throws: `BodyError` when it raised an error of its own. An error of a primitive that stopped the run
    ///   comes back as `.stopped`.
    func run(_ controls: any RunControls) async throws(BodyError)

    /// Makes a running body end; returns at once.
    func stop(reason: String)

    /// The value of a metric that a function of the script computes.
    func evaluate(metric name: String) async -> Reading
}

/// How a body failed.
package enum BodyError: Error, Sendable, CustomStringConvertible {
    /// It was stopped, as asked.
    case stopped
    /// It raised an error: the message with its place, and the traceback.
    case raised(message: String, traceback: String)
    /// A primitive refused or failed, and the body did not catch that.
    case control(ControlError, traceback: String)

    package var description: String {
        switch self {
        case .stopped: "stopped"
        case .raised(let message, _): message
        case .control(let error, _): error.description
        }
    }
}

/// What a body would do, found by running it without effects.
package struct Rehearsal: Sendable {
    /// The faults it injected, in order, each once.
    package var faults: [FaultSpec]
    /// What a plain script declared to watch; nil when it declared nothing.
    package var steadyState: SteadyStateDefinition?
    /// The first definition error that a primitive found.
    package var error: DefinitionError?
    /// What the rehearsal could not see, in words.
    package var notes: [String]
    /// How long faults would be on at most, from the first one to the end of the body; nil when that is not known.
    package var length: Duration?

    /// Makes the result of a rehearsal.
    package init(
        faults: [FaultSpec] = [],
        steadyState: SteadyStateDefinition? = nil,
        error: DefinitionError? = nil,
        notes: [String] = [],
        length: Duration? = nil
    ) {
        self.faults = faults
        self.steadyState = steadyState
        self.error = error
        self.notes = notes
        self.length = length
    }
}
