// Controls that write down what a body asks for.

import ChaosEngine
import ChaosModel
import Synchronization

/// The controls of a run in a test.
final class RecordingControls: RunControls {
    private struct State {
        var calls: [String] = []
        var rules: [RuleFunction] = []
        var injections = 0
        var waiters: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
        var stopReason: String?
    }

    /// What the next injections answer; nil for a handle.
    private let failure: @Sendable (FaultSpec) -> ControlError?
    private let answer: CheckResult
    /// How long `wait` takes at most; it ends early when the body is stopped.
    private let mostWait: Duration
    private let state = Mutex(State())

    init(
        answer: CheckResult = CheckResult(held: true, values: [:]),
        mostWait: Duration = .zero,
        failure: @escaping @Sendable (FaultSpec) -> ControlError? = { _ in nil }
    ) {
        self.answer = answer
        self.mostWait = mostWait
        self.failure = failure
    }

    var calls: [String] { state.withLock { $0.calls } }
    var rules: [RuleFunction] { state.withLock { $0.rules } }

    /// Waits until so many calls were made.
    func waitForCalls(_ count: Int) async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if state.calls.count < count { state.waiters.append((count, continuation)) }
                return state.calls.count >= count
            }
            if isThere { continuation.resume() }
        }
    }

    private func note(_ call: String) {
        let ready = state.withLock { state in
            state.calls.append(call)
            let count = state.calls.count
            let ready = state.waiters.filter { $0.count <= count }
            state.waiters.removeAll { $0.count <= count }
            return ready
        }
        for waiter in ready { waiter.continuation.resume() }
    }

    func watch(_ steadyState: SteadyStateDefinition) async throws(ControlError) {
        note("watch \(steadyState.metrics.map(\.name).joined(separator: ", "))")
    }

    func inject(_ spec: FaultSpec) async throws(ControlError) -> FaultHandle {
        note("inject \(spec.fault)")
        if let error = failure(spec) { throw error }
        let number = state.withLock { state in
            state.injections += 1
            return state.injections
        }
        return FaultHandle(number: number, fault: spec.fault, targets: [.host])
    }

    func rollback(_ handle: FaultHandle?) async throws(ControlError) {
        note(handle.map { "rollback \($0.number)" } ?? "rollback all")
    }

    func check(
        _ condition: Condition,
        within limit: Duration,
        counts: Bool,
        at location: SourceLocation?
    ) async throws(ControlError) -> CheckResult {
        let time = limit > .zero ? " within \(limit.spelled)" : ""
        let what = counts ? "check" : "look"
        note("\(what) \(condition)\(time) line \(location?.line ?? 0)")
        return answer
    }

    func check(
        _ metric: MetricDefinition,
        within limit: Duration,
        counts: Bool
    ) async throws(ControlError) -> CheckResult {
        note("\(counts ? "check" : "look") metric \(metric.name)")
        return answer
    }

    func abort(if condition: Condition, at location: SourceLocation?) async throws(ControlError) {
        note("abort if \(condition) line \(location?.line ?? 0)")
    }

    func abort(if rule: @escaping RuleFunction, named name: String) async throws(ControlError) {
        state.withLock { $0.rules.append(rule) }
        note("abort if \(name.split(separator: "/").last ?? "")")
    }

    func abort(reason: String) async throws(ControlError) {
        note("abort \(reason)")
        throw .stopped(reason: reason)
    }

    func wait(_ span: Duration) async throws(ControlError) {
        note("wait \(span.spelled)")
        guard (try? await Task.sleep(for: min(span, mostWait))) != nil else {
            throw .stopped(reason: "cancelled")
        }
    }

    func observe(_ text: String) async { note("observe \(text)") }

    func log(_ text: String) async { note("log \(text)") }
}
