// The body of an experiment in a state of its own.
//
// An experiment's own metric functions are asked in a second state, so that a body in `while true do end` does not
// blind them. A plain script makes its metrics as it runs, so that they live in its state.

import ChaosEngine
import ChaosModel
import LuaBridge
import Synchronization

/// Runs the body of a script once.
final class ScriptBody: RunBody {
    /// What is run.
    enum Entry: Sendable {
        /// The function of the experiment with this title.
        case experiment(String)
        /// The whole file.
        case plain
    }

    private enum Phase {
        case idle
        case running(OpenScript)
        case ended(OpenScript)
    }

    private struct State {
        var phase = Phase.idle
        var stopReason: String?
    }

    private let environment: ScriptEnvironment
    private let entry: Entry
    private let limits: LuaLimits
    private let clock: (@Sendable () -> Double)?
    private let functions: MetricFunctions?
    private let state = Mutex(State())

    init(
        _ entry: Entry,
        in environment: ScriptEnvironment,
        limits: LuaLimits = .default,
        clock: (@Sendable () -> Double)? = nil
    ) {
        self.entry = entry
        self.environment = environment
        self.limits = limits
        self.clock = clock
        functions =
            switch entry {
            case .experiment(let title): MetricFunctions(of: title, in: environment)
            case .plain: nil
            }
    }

    func run(_ controls: any RunControls) async throws(BodyError) {
        do throws(LuaError) {
            let script = try await environment.open(limits: limits, clock: clock)
            guard begin(script) else { throw .stopped }
            defer { end(script) }
            do throws(LuaError) {
                try await perform(script, controls)
            } catch {
                await script.session.flushLog()
                throw error
            }
            await script.session.flushLog()
        } catch {
            throw BodyError(error, in: environment.context.file.path)
        }
    }

    func stop(reason: String) {
        let running = state.withLock { state -> OpenScript? in
            switch state.phase {
            case .idle:
                state.stopReason = state.stopReason ?? reason
                return nil
            case .running(let script): return script
            case .ended: return nil
            }
        }
        running?.vm.abortToken.abort(reason)
    }

    func evaluate(metric name: String) async -> Reading {
        let script = state.withLock { state -> OpenScript? in
            switch state.phase {
            case .idle: nil
            case .running(let script), .ended(let script): script
            }
        }
        if let script, let function = script.session.function(of: name) {
            return await Judging.reading(of: function, in: script.vm)
        }
        guard let functions else { return .noData("the script has not declared \(name) yet") }
        return await functions.reading(of: name)
    }

    /// The first definition error of the run, also of one that the script caught.
    var firstError: DefinitionError? {
        state.withLock { state in
            switch state.phase {
            case .idle: nil
            case .running(let script), .ended(let script): script.session.firstError
            }
        }
    }

    private func perform(
        _ script: OpenScript,
        _ controls: any RunControls
    ) async throws(LuaError) {
        switch entry {
        case .plain:
            script.session.begin(.plain(controls))
            try await script.vm.run(script.main)
        case .experiment(let title):
            try await script.vm.call(script.main, timeout: environment.topLevelTime)
            let declared = script.session.experiments.first { $0.definition.name == title }
            guard let run = declared?.run else {
                throw LuaError(
                    kind: .runtime,
                    message:
                        "the file no longer defines the experiment \"\(title)\" when loaded again"
                )
            }
            script.session.begin(.experiment(controls))
            try await script.vm.run(run)
        }
    }

    /// False when it was stopped before it began.
    private func begin(_ script: OpenScript) -> Bool {
        state.withLock { state in
            state.phase = .running(script)
            return state.stopReason == nil
        }
    }

    /// Lets metric functions go on when the body was stopped.
    private func end(_ script: OpenScript) {
        state.withLock { $0.phase = .ended(script) }
        script.vm.abortToken.clear()
    }
}

extension LuaError {
    /// The body was stopped before it began.
    fileprivate static var stopped: LuaError { LuaError(kind: .aborted, message: "stopped") }
}

extension BodyError {
    /// What a body's error means to the engine.
    init(_ error: LuaError, in file: String) {
        let traceback = error.traceback
        switch error.underlying as? ControlError {
        case .stopped: self = .stopped
        case let control?: self = .control(control, traceback: traceback)
        case nil where error.kind == .aborted: self = .stopped
        case nil:
            if let refusal = error.refusal {
                self = .control(.definition(refusal), traceback: traceback)
            } else {
                self = .raised(message: error.message(in: file), traceback: traceback)
            }
        }
    }
}
