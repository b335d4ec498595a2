// `steady_state {…}` builds what is watched. In a plain script, which has no `experiment {…}` to put it in, the call
// itself declares it.

import ChaosModel
import LuaBridge

/// The primitive `steady_state`.
enum SteadyState: Primitive {
    static let signature = Signature(
        name: "steady_state",
        help:
            "What is watched: a value for `experiment`, or a declaration at the top level of a plain script.",
        parameters: [SignaturePart("options", "moonquake.steady_state", "")],
        result: SignaturePart("steady_state", "moonquake.SteadyState", "")
    )

    static func call(_ call: LuaCall, _ session: ScriptSession) async throws -> [LuaValue] {
        let table = try call.options(such: "steady_state { metrics = { p99 = metric.http {…} } }")
        let metrics = session.context.metrics
        let steady = try SteadyStateBuilder.build(table, from: metrics, at: call.place)
        switch session.stage {
        case .declaring: break
        case .experiment:
            throw DefinitionError(
                call.function,
                "belongs into experiment { steady_state = … }: a body cannot change what is watched"
            )
        case .day:
            throw DefinitionError(
                call.function,
                "belongs into gameday { health = … }: a body cannot change what is watched"
            )
        case .plain:
            let controls = try await session.controls(for: call)
            session.keep(steady.functions)
            try await controls.watch(steady.definition)
        }
        return [.object(SteadyStateBuilder.objects.make(steady))]
    }
}
