// Options that no plain value can carry: functions, and what builders make. They are described like the others, for
// the help and the types, and read beside them.

import ChaosModel

extension ParameterKind where Value == ParameterValue {
    /// A value that Lua holds; `type` is its type in LuaCATS.
    static func live(_ type: String, example: String) -> ParameterKind {
        ParameterKind(shape: ParameterShape(type: type, json: "live", example: example)) {
            value throws(ParameterProblem) in value
        }
    }
}
