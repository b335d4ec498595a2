// Reads the arguments of a typed function straight from the stack, one after the other.

import CLua

struct LuaArgumentReader {
    private let function: String
    private var reader: LuaReader
    private var index: Int32 = 0
    private let count: Int32

    init(function: String, frame: LuaFrame) {
        self.function = function
        reader = LuaReader(state: frame.state, stack: frame.stack)
        count = lua_gettop(frame.stack)
    }

    /// The next argument as a Swift type.
    mutating func next<Value: LuaConvertible>(_ type: Value.Type) throws -> Value {
        index += 1
        let value: LuaValue
        do throws(LuaReadError) {
            value = index <= count ? try reader.read(index) : .nil
        } catch {
            throw LuaArgumentError(
                function: function,
                message: "argument \(index), \(error.path): \(error.message)"
            )
        }
        if let converted = Value.from(value) { return converted }
        throw LuaArgumentError(
            function: function,
            position: Int(index),
            name: "",
            expected: Value.luaTypeName,
            got: value
        )
    }

    /// Refuses arguments that nobody read.
    func finish() throws(LuaArgumentError) {
        guard count > index else { return }
        let taken = Int(index)
        throw LuaArgumentError(function: function, count: Int(count), allowed: 0...taken)
    }
}
