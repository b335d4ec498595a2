// How messages name what a script gave.

import ChaosModel
import LuaBridge

extension LuaValue {
    /// The value in a user's words: `a string "x"`.
    var given: String {
        switch self {
        case .nil: "nothing"
        case .boolean(let flag): "the boolean \(flag)"
        case .integer(let number): "the number \(number)"
        case .number(let number): "the number \(number)"
        case .string(let text): "a string \"\(text.escapedForDisplay)\""
        case .table: "a table"
        case .function: "a function"
        case .object(let object): "a \(object.typeName)"
        }
    }
}
