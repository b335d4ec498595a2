// The kill switch of one state. The only part of it that other threads may touch.
//
// An abort raises a flag that the count hook reads, and cancels the tasks that waiting primitives
// run in. It stays until it is cleared, so that a script started a moment later is stopped as well.

import Synchronization

/// Stops the scripts of one state, from any thread.
public final class LuaAbortToken: Sendable {
    private struct State {
        var reason: String?
        var activations: [ObjectIdentifier: LuaActivation] = [:]
    }

    let stop = LuaStop()
    private let state = Mutex(State())

    init() {}

    /// The reason of the abort, nil while there was none.
    public var reason: String? {
        state.withLock { $0.reason }
    }

    /// Stops what runs or waits now, and all that is started until `clear()`.
    ///
    /// A busy script stops within some hundred instructions and cannot catch it; a waiting one has
    /// its Swift task cancelled. `<close>` variables run, within a bound. The first reason wins.
    /// Never waits, takes no lock that a script could hold.
    public func abort(_ reason: String) {
        let activations = state.withLock { state in
            state.reason = state.reason ?? reason
            stop.raise()
            return Array(state.activations.values)
        }
        for activation in activations {
            activation.stop(.aborted(reason))
        }
    }

    /// Lets scripts run again after an abort, as a prompt needs it.
    ///
    /// Scripts that are being stopped stay so.
    public func clear() {
        state.withLock { state in
            state.reason = nil
            stop.clear()
        }
    }

    func add(_ activation: LuaActivation) {
        let reason = state.withLock { state in
            state.activations[ObjectIdentifier(activation)] = activation
            return state.reason
        }
        if let reason {
            activation.stop(.aborted(reason))
        }
    }

    func remove(_ activation: LuaActivation) {
        state.withLock { _ = $0.activations.removeValue(forKey: ObjectIdentifier(activation)) }
    }
}
