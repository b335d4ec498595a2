// `experiment "title" {…}` declares an experiment; nothing runs yet.

import ChaosModel
import LuaBridge

/// The primitive `experiment`.
enum ExperimentPrimitive {
    /// What scripts hold of an experiment, to name it in a GameDay.
    struct Declared: Sendable {
        let title: String
    }

    static let objects = LuaObjectType<Declared>("experiment").description {
        "experiment \"\($0.title)\""
    }

    static let primitive = TitledPrimitive(
        name: ExperimentOptions.subject,
        spelling: "{ run = function() … end }"
    ) { title, table, place, session throws(DefinitionError) in
        let builder = ExperimentBuilder(context: session.context, title: title, place: place)
        try session.declare(try builder.build(table))
        return .object(objects.make(Declared(title: title)))
    }
}
