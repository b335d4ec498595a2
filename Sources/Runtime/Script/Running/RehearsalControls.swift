// Controls that touch nothing: they check what a body asks for, note its faults, and answer at once.

import ChaosEngine
import ChaosModel
import Synchronization

/// The controls of a rehearsal.
final class RehearsalControls: RunControls {
    /// The most calls of primitives.
    static let mostCalls = 10_000

    private struct State {
        var calls = 0
        var faults: [FaultSpec] = []
        var injections = 0
        var units: [String: MetricUnit]
        var steadyState: SteadyStateDefinition?
        var waited = Duration.zero
        var waitedBefore: Duration?
        var checks = 0
        var notes: [String] = []
    }

    private let catalogue: FaultCatalogue
    /// What every check answers.
    private let holds: Bool
    private let state: Mutex<State>

    init(
        _ catalogue: FaultCatalogue,
        watching steadyState: SteadyStateDefinition,
        holds: Bool = true
    ) {
        self.catalogue = catalogue
        self.holds = holds
        state = Mutex(State(units: steadyState.units))
    }

    /// The faults, each once, in their order.
    var faults: [FaultSpec] { state.withLock { $0.faults } }
    /// What a plain script declared to watch.
    var steadyState: SteadyStateDefinition? { state.withLock { $0.steadyState } }
    /// What ended the rehearsal early.
    var notes: [String] { state.withLock { $0.notes } }
    /// How many checks there were.
    var checks: Int { state.withLock { $0.checks } }
    /// How long the body would have waited from its first fault on; nil without one.
    var length: Duration? {
        state.withLock { state in state.waitedBefore.map { state.waited - $0 } }
    }
    /// How long the body would have waited.
    var waited: Duration { state.withLock { $0.waited } }

    func watch(_ steadyState: SteadyStateDefinition) async throws(ControlError) {
        try count()
        guard state.withLock({ $0.injections }) == 0 else {
            throw .definition(DefinitionError("steady_state", "must come before the first fault"))
        }
        state.withLock { state in
            state.units = steadyState.units
            state.steadyState = steadyState
        }
    }

    func inject(_ spec: FaultSpec) async throws(ControlError) -> FaultHandle {
        try count()
        do throws(DefinitionError) {
            _ = try catalogue.instance(spec)
        } catch {
            throw .definition(error)
        }
        let number = state.withLock { state in
            if !state.faults.contains(spec) { state.faults.append(spec) }
            state.injections += 1
            if state.waitedBefore == nil { state.waitedBefore = state.waited }
            return state.injections
        }
        return FaultHandle(number: number, fault: spec.fault, targets: [spec.target.likely])
    }

    func rollback(_ handle: FaultHandle?) async throws(ControlError) { try count() }

    func check(
        _ condition: Condition,
        within limit: Duration,
        counts: Bool,
        at location: SourceLocation?
    ) async throws(ControlError) -> CheckResult {
        try check(condition, "check_metric", at: location)
        return answer(within: limit)
    }

    func check(
        _ metric: MetricDefinition,
        within limit: Duration,
        counts: Bool
    ) async throws(ControlError) -> CheckResult {
        try count()
        return answer(within: limit)
    }

    /// A check that holds takes no time, and one that does not takes all it has.
    private func answer(within limit: Duration) -> CheckResult {
        state.withLock { state in
            state.checks += 1
            if !holds { state.waited += limit }
        }
        return CheckResult(held: holds, values: [:])
    }

    func abort(if condition: Condition, at location: SourceLocation?) async throws(ControlError) {
        try check(condition, "abort_if", at: location)
    }

    func abort(if rule: @escaping RuleFunction, named name: String) async throws(ControlError) {
        try count()
    }

    func abort(reason: String) async throws(ControlError) {
        note(
            "the rehearsal ended at abort(\"\(reason.escapedForDisplay)\"): what follows was not seen"
        )
        throw .stopped(reason: reason)
    }

    func wait(_ span: Duration) async throws(ControlError) {
        try count()
        state.withLock { $0.waited += span }
    }

    func observe(_ text: String) async {}

    func log(_ text: String) async {}

    func note(_ text: String) {
        state.withLock { $0.notes.append(text) }
    }

    private func check(
        _ condition: Condition,
        _ verb: String,
        at location: SourceLocation?
    ) throws(ControlError) {
        try count()
        let units = state.withLock { $0.units }
        do throws(ParameterProblem) {
            try condition.check(against: units)
        } catch {
            throw .definition(DefinitionError(verb, error.text, at: location))
        }
    }

    private func count() throws(ControlError) {
        let isOver = state.withLock { state in
            state.calls += 1
            return state.calls > Self.mostCalls
        }
        guard isOver else { return }
        note(
            "the rehearsal ended after \(Self.mostCalls) calls of primitives: what follows was not seen"
        )
        throw .stopped(reason: "the rehearsal is over")
    }
}

extension SteadyStateDefinition {
    /// The units of the metrics, by name.
    fileprivate var units: [String: MetricUnit] {
        Dictionary(metrics.map { ($0.name, $0.unit) }) { first, _ in first }
    }
}

extension TargetSelector {
    /// A target that it might match, for a body that looks at its handle.
    fileprivate var likely: Target {
        var name = "any"
        switch options["name"] {
        case .string(let text): name = text
        case .list(let names):
            if case .string(let text) = names.first { name = text }
        default: break
        }
        return switch kind {
        case .host: .host
        case .netns: .netns(name: name, NetworkNamespace(path: "/run/netns/\(name)", inode: 0))
        case .process, .container, .systemd:
            .process(name: name, ProcessIdentity(pid: 0, startTime: 0))
        }
    }
}
