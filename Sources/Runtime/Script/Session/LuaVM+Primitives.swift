// Puts builders and verbs into a state: the builders from the descriptors, the verbs from their list.

import ChaosEngine
import ChaosModel
import LuaBridge

extension LuaVM {
    /// Makes every primitive known to the scripts of this state.
    func installPrimitives(of session: ScriptSession) {
        let context = session.context
        for kind in TargetKind.allCases {
            build("target.\(kind.rawValue)", session) { call throws(DefinitionError) in
                try TargetBuilder.build(kind, call)
            }
        }
        for descriptor in context.metrics.descriptors {
            build(descriptor.subject, session) { call throws(DefinitionError) in
                try MetricBuilder.build(descriptor, from: context.metrics, call)
            }
        }
        for descriptor in context.faults.types.map(\.descriptor) {
            build("fault.\(descriptor.name)", session) { call throws(DefinitionError) in
                try FaultBuilder.build(descriptor, from: context, call)
            }
        }
        build("params", session) { call throws(DefinitionError) in
            try InputBuilders.params(call, context.inputs)
        }
        build("env", session) { call throws(DefinitionError) in
            try InputBuilders.environment(call, context.inputs)
        }
        build("secret", session) { call throws(DefinitionError) in
            try InputBuilders.secret(call, context.inputs)
        }
        for primitive in [ExperimentPrimitive.primitive, GameDayPrimitive.primitive] {
            build(primitive.name, session) { call throws(DefinitionError) in
                try primitive.call(call, session)
            }
        }
        build("catalog", session) { call throws(DefinitionError) in try CatalogEntry.build(call) }
        for kind in NotifyBuilder.all {
            build(kind.path, session) { call throws(DefinitionError) in
                try NotifyBuilder.build(kind, call)
            }
        }
        for primitive in Primitives.all {
            registerAsync(primitive.signature.name) { call in
                try await session.perform(primitive, call)
            }
        }
    }

    private func build(
        _ path: String,
        _ session: ScriptSession,
        _ builder: @escaping @Sendable (LuaCall) throws(DefinitionError) -> LuaValue
    ) {
        register(path) { call -> LuaValue in
            do throws(DefinitionError) {
                return try builder(call)
            } catch {
                throw session.refusal(of: error, at: call.place)
            }
        }
    }
}

extension ScriptSession {
    /// Notes a definition error and makes it fit for Lua.
    func refusal(of error: DefinitionError, at place: SourceLocation?) -> Refusal {
        let located = error.located(at: place)
        record(located)
        return Refusal(error: located)
    }

    /// Calls a primitive that may wait.
    func perform(_ primitive: any Primitive.Type, _ call: LuaCall) async throws -> [LuaValue] {
        do {
            return try await primitive.call(call, self)
        } catch let error as DefinitionError {
            throw refusal(of: error, at: call.place)
        } catch ControlError.definition(let error) {
            throw refusal(of: error, at: call.place)
        } catch ControlError.stopped(let reason) {
            // No script may catch this and go on.
            token.abort(reason)
            throw ControlError.stopped(reason: reason)
        }
    }

    /// The controls of the running body, for a verb.
    ///
    /// - Throws: at the top level, which ends there; and in functions that only look.
    func controls(for call: LuaCall) async throws -> any RunControls {
        let verb = call.function
        guard !Judging.isOn else {
            throw DefinitionError(
                verb,
                "a function of metric.lua or abort_if only looks: it cannot call \(verb)"
            )
        }
        switch stage {
        case .declaring:
            markPlain(by: verb, at: call.place)
            token.abort("\(verb) was called at the top level")
            throw TopLevelVerb(name: verb)
        case .experiment(let controls), .plain(let controls):
            await flushLog()
            return controls
        case .day:
            throw DefinitionError(
                verb,
                "belongs into an experiment: a GameDay runs experiments with day.experiment(…)"
            )
        }
    }
}

/// Ends the top level of a plain script.
struct TopLevelVerb: Error, CustomStringConvertible {
    let name: String

    var description: String { "\(name) was called at the top level" }
}
