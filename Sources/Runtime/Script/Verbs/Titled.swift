// `experiment "title" {…}` and `gameday "title" {…}`: a title, and the table at once or by a second call.

import ChaosModel
import LuaBridge

/// A primitive that declares something under a title, at the top level of a file.
struct TitledPrimitive: Sendable {
    /// Its name.
    let name: String
    /// How it is written, for messages: `{ run = function() … end }`.
    let spelling: String
    /// Declares what the table says, and returns what scripts hold of it.
    let declare:
        @Sendable (_ title: String, LuaTable, SourceLocation?, ScriptSession)
            throws(DefinitionError) -> LuaValue

    /// Takes the call.
    func call(_ call: LuaCall, _ session: ScriptSession) throws(DefinitionError) -> LuaValue {
        try refuseInBody(session)
        guard let title = call[1].string, call.arguments.count <= 2 else {
            throw DefinitionError(
                name,
                "expects a title: write \(name) \"title\" { … }, got \(call[1].given)"
            )
        }
        try ExperimentOptions.check(title: title, of: name)
        if call.arguments.count == 2 {
            return try declare(title, call[2], at: call.place, session)
        }
        session.open(title: title, of: self, at: call.place)
        return .function(
            LuaFunction(name: name) { call in
                do throws(DefinitionError) {
                    return [try declare(title, call[1], at: call.place, session)]
                } catch {
                    throw session.refusal(of: error, at: call.place)
                }
            }
        )
    }

    private func declare(
        _ title: String,
        _ value: LuaValue,
        at place: SourceLocation?,
        _ session: ScriptSession
    ) throws(DefinitionError) -> LuaValue {
        guard let table = value.table else {
            throw DefinitionError(
                name,
                "expects a table: write \(name) \"\(title)\" \(spelling), got \(value.given)"
            )
        }
        session.close(title: title, of: name)
        return try declare(title, table, place, session)
    }

    private func refuseInBody(_ session: ScriptSession) throws(DefinitionError) {
        switch session.stage {
        case .declaring: return
        case .experiment, .day:
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
