// The body of a GameDay in a state of its own: `run = function(day) … end`, with `day.experiment` and its like.

import ChaosGameDay
import ChaosModel
import LuaBridge
import Synchronization

/// Runs the function of a GameDay once.
final class ScriptDayBody: DayBody {
    private struct State {
        var script: OpenScript?
        var stopReason: String?
        var halt: DayHalt?
    }

    private let environment: ScriptEnvironment
    private let state = Mutex(State())

    init(in environment: ScriptEnvironment) { self.environment = environment }

    func run(_ day: any DayControls) async throws(DayHalt) {
        do throws(LuaError) {
            let script = try await environment.open()
            guard begin(script) else { return }
            try await script.vm.call(script.main, timeout: environment.topLevelTime)
            guard let run = script.session.gameDays.first?.run else {
                throw LuaError(
                    kind: .runtime,
                    message: "the file no longer defines this GameDay when loaded again"
                )
            }
            script.session.begin(.day(day))
            try await script.vm.run(run, arguments: [dayTable(day, script)])
            await script.session.flushLog()
        } catch {
            await state.withLock({ $0.script })?.session.flushLog()
            throw halt(from: error)
        }
    }

    func stop(reason: String) {
        let script = state.withLock { state in
            state.stopReason = state.stopReason ?? reason
            return state.script
        }
        script?.vm.abortToken.abort(reason)
    }

    /// False when it was stopped before it began.
    private func begin(_ script: OpenScript) -> Bool {
        state.withLock { state in
            state.script = script
            return state.stopReason == nil
        }
    }

    private func halt(from error: LuaError) -> DayHalt {
        if let halt = state.withLock({ $0.halt }) { return halt }
        if let reason = state.withLock({ $0.stopReason }) {
            return DayHalt(reason, code: .interrupted)
        }
        let text = error.refusal?.description ?? error.message(in: environment.context.file.path)
        return DayHalt(text, code: .definition)
    }

    // MARK: What `day` is

    private func dayTable(_ day: any DayControls, _ script: OpenScript) -> LuaValue {
        let steps: [String: LuaValue] = [
            "experiment": step("experiment", script) { call in
                guard call.arguments.count == 1, let reference = ExperimentReference(call[1]) else {
                    throw DefinitionError(
                        "day.experiment",
                        "expects one of the GameDay's experiments: write day.experiment \"slow-database\", "
                            + "got \(call[1].given)"
                    )
                }
                return [Self.table(try await day.experiment(reference))]
            },
            "pause": step("pause", script) { call in
                guard case .string(let text) = call[1], let seconds = Units.seconds(text),
                    seconds <= 86_400
                else {
                    throw DefinitionError(
                        "day.pause",
                        "expects a duration such as \"5m\", at most 24h, got \(call[1].given)"
                    )
                }
                try await day.pause(.seconds(seconds))
                return []
            },
            "approve": step("approve", script) { call in
                try await day.approve(try call.text("what is to be approved, in words"))
                return []
            },
            "observe": step("observe", script) { call in
                await day.observe(try call.text("a text such as \"the queue drained\""))
                return []
            },
        ]
        return .table(LuaTable(fields: steps))
    }

    /// A step of the day: a halt ends the script, whatever it catches.
    private func step(
        _ name: String,
        _ script: OpenScript,
        _ body: @escaping @Sendable (LuaCall) async throws -> [LuaValue]
    ) -> LuaValue {
        .function(
            LuaFunction(asyncName: "day.\(name)") { call in
                await script.session.flushLog()
                do {
                    return try await body(call)
                } catch let error as DefinitionError {
                    throw script.session.refusal(of: error, at: call.place)
                } catch let halt as DayHalt {
                    self.state.withLock { $0.halt = $0.halt ?? halt }
                    script.session.token.abort(halt.reason)
                    throw halt
                }
            }
        )
    }

    /// What a script sees of an experiment that has ended.
    private static func table(_ row: GameDayReport.Row) -> LuaValue {
        var fields: [String: LuaValue] = [
            "title": .string(row.title), "outcome": .string(row.outcome.rawValue),
            "reason": .string(row.reason), "held": .boolean(row.outcome == .held),
        ]
        fields["run_id"] = row.runID.map { .string($0) }
        fields["recovered_after"] = row.recoveredAfterMs.map { .number($0 / 1000) }
        return .table(LuaTable(fields: fields))
    }
}
