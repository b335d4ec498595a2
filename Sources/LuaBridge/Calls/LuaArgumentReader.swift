// Reads the arguments of a typed function straight from the stack, one after the other.
//
// The generic part is inlinable: compiled for its types in the caller's module it costs a few
// nanoseconds, through the runtime's metadata it cost more than the rest of the call.

import CLua

/// The arguments of one call of a typed function.
public struct LuaArgumentReader {
    private let function: LuaHostFunction
    private let frame: LuaFrame
    private let count: Int32
    private var index: Int32 = 0

    init(function: LuaHostFunction, frame: LuaFrame) {
        self.function = function
        self.frame = frame
        count = lua_gettop(frame.stack)
    }

    @inlinable
    @inline(__always)
    mutating func next<Value: LuaConvertible>(_ type: Value.Type) throws -> Value {
        let value = try nextValue()
        if let converted = Value.from(value) { return converted }
        throw mismatch(expected: Value.luaTypeName, got: value)
    }

    @usableFromInline
    mutating func nextValue() throws -> LuaValue {
        index += 1
        guard index <= count else { return .nil }
        if lua_isinteger(frame.stack, index) != 0 {
            return .integer(lua_tointegerx(frame.stack, index, nil))
        }
        var reader = LuaReader(state: frame.state, stack: frame.stack)
        do throws(LuaReadError) {
            return try reader.read(index)
        } catch {
            let place = error.path.isEmpty ? "" : ", \(error.path)"
            throw LuaArgumentError(
                function: function.name,
                message: "argument \(index)\(place): \(error.message)"
            )
        }
    }

    @usableFromInline
    func mismatch(expected: String, got value: LuaValue) -> LuaArgumentError {
        LuaArgumentError(
            function: function.name,
            position: Int(index),
            name: "",
            expected: expected,
            got: value
        )
    }

    /// Refuses more arguments than the function takes; those left out are nil.
    @usableFromInline
    func expectAtMost(_ most: Int) throws {
        guard Int(count) > most else { return }
        throw LuaArgumentError(function: function.name, count: Int(count), allowed: 0...most)
    }
}
