// `gameday "title" {…}` declares a GameDay; nothing runs yet.

import ChaosModel
import LuaBridge

/// The primitive `gameday`.
enum GameDayPrimitive {
    static let primitive = TitledPrimitive(
        name: GameDayOptions.subject,
        spelling: "{ experiments = { … } }"
    ) { title, table, place, session throws(DefinitionError) in
        let builder = GameDayBuilder(context: session.context, title: title, place: place)
        try session.declare(try builder.build(table))
        return .nil
    }
}
