// `experiment "title" {…}` declares an experiment; nothing runs yet.

import ChaosModel
import LuaBridge

/// The primitive `experiment`.
enum ExperimentPrimitive {
    static let name = "experiment"

    /// Takes the title, and the table at once or by a second call.
    static func call(_ call: LuaCall, _ session: ScriptSession) throws(DefinitionError) -> LuaValue
    {
        try refuseInBody(session)
        guard let title = call[1].string, call.arguments.count <= 2 else {
            throw DefinitionError(
                name,
                "expects a title: write experiment \"title\" { … }, got \(call[1].given)"
            )
        }
        try ExperimentOptions.check(title: title)
        if call.arguments.count == 2 {
            try declare(title, call[2], at: call.place, session)
            return .nil
        }
        session.open(title: title, at: call.place)
        return .function(
            LuaFunction(name: name) { call in
                do throws(DefinitionError) {
                    try declare(title, call[1], at: call.place, session)
                } catch {
                    throw session.refusal(of: error, at: call.place)
                }
                return []
            }
        )
    }

    private static func declare(
        _ title: String,
        _ value: LuaValue,
        at place: SourceLocation?,
        _ session: ScriptSession
    ) throws(DefinitionError) {
        guard let table = value.table else {
            throw DefinitionError(
                name,
                "expects a table: write experiment \"\(title)\" { run = function() … end }, "
                    + "got \(value.given)"
            )
        }
        let builder = ExperimentBuilder(context: session.context, title: title, place: place)
        try session.declare(try builder.build(table))
    }

    private static func refuseInBody(_ session: ScriptSession) throws(DefinitionError) {
        switch session.stage {
        case .declaring: return
        case .experiment:
            throw DefinitionError(name, "belongs to the top level of a file, not into a body")
        case .plain:
            throw DefinitionError(
                name,
                "the script calls primitives at its top level, which makes it an experiment "
                    + "already: move those calls into run = function() … end"
            )
        }
    }
}
