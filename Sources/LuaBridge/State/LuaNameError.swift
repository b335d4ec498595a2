// An unknown name, or one that must not be assigned.

struct LuaNameError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
