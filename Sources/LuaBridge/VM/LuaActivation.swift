// One run or call: who waits for it, what stops it, and why.
//
// The caller waits for an outcome and never for the script's thread: a stop that is not obeyed
// within the grace resolves the outcome without it. The first outcome wins.

import Synchronization

/// Why an activation is stopped.
enum LuaStopReason: Sendable {
    case aborted(String)
    case cancelled
    case timedOut(Duration)
    case instructions(Int)
}

final class LuaActivation: Sendable {
    typealias Outcome = Result<[LuaValue], LuaError>

    private struct State {
        var hasBegun = false
        var reason: LuaStopReason?
        var outcome: Outcome?
        var waiter: CheckedContinuation<Outcome, Never>?
        var driver: Task<Void, Never>?
        var timers: [Task<Void, Never>] = []
    }

    let flag = LuaStop()
    private let grace: Duration
    private let state = Mutex(State())

    init(grace: Duration) {
        self.grace = grace
    }

    var reason: LuaStopReason? {
        state.withLock { $0.reason }
    }

    /// Called on the script's thread: false when it is too late to begin.
    func begin() -> Bool {
        state.withLock { state in
            state.hasBegun = true
            return state.outcome == nil && state.reason == nil
        }
    }

    /// Starts the driver and waits for the first outcome.
    func outcome(timeout: Duration?, driver: Task<Void, Never>) async -> Outcome {
        attach(driver)
        if let timeout {
            after(timeout) { $0.stop(.timedOut(timeout)) }
        }
        return await withCheckedContinuation { continuation in
            let outcome = state.withLock { state -> Outcome? in
                if state.outcome == nil {
                    state.waiter = continuation
                }
                return state.outcome
            }
            if let outcome {
                continuation.resume(returning: outcome)
            }
        }
    }

    /// Raises the flag, cancels the waiting primitive, and gives the thread its grace.
    func stop(_ reason: LuaStopReason) {
        let (driver, hasBegun) = state.withLock { state -> (Task<Void, Never>?, Bool?) in
            guard state.outcome == nil, state.reason == nil else { return (nil, nil) }
            state.reason = reason
            return (state.driver, state.hasBegun)
        }
        guard let hasBegun else { return }
        flag.raise()
        driver?.cancel()
        guard hasBegun else {
            resolve(.failure(.stopped(reason, phase: .notBegun)))
            return
        }
        after(grace) { $0.resolve(.failure(.stopped(reason, phase: .leftBehind))) }
    }

    func resolve(_ outcome: Outcome) {
        let (waiter, timers) = state.withLock { state in
            guard state.outcome == nil else {
                return (nil as CheckedContinuation<Outcome, Never>?, [] as [Task<Void, Never>])
            }
            state.outcome = outcome
            defer {
                state.waiter = nil
                state.timers = []
                state.driver = nil
            }
            return (state.waiter, state.timers)
        }
        for timer in timers {
            timer.cancel()
        }
        waiter?.resume(returning: outcome)
    }

    private func attach(_ driver: Task<Void, Never>) {
        let isStopped = state.withLock { state in
            state.driver = state.outcome == nil ? driver : nil
            return state.reason != nil
        }
        if isStopped {
            driver.cancel()
        }
    }

    private func after(_ time: Duration, _ body: @escaping @Sendable (LuaActivation) -> Void) {
        let timer = Task {
            guard (try? await Task.sleep(for: time)) != nil else { return }
            body(self)
        }
        let isOver = state.withLock { state in
            if state.outcome == nil {
                state.timers.append(timer)
            }
            return state.outcome != nil
        }
        if isOver {
            timer.cancel()
        }
    }
}
