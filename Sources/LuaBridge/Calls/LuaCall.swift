// One call of a Swift function by a script.

/// What a script passed to a Swift function, and from which line.
public struct LuaCall: Sendable {
    /// The name that the function was registered under, for messages.
    public let function: String
    /// The arguments; trailing ones that the script left out are not in it.
    public let arguments: [LuaValue]
    /// The innermost script line on the stack, nil when Swift called directly.
    public let location: LuaLocation?

    /// Makes a call by hand, to test a handler without a script.
    public init(function: String, arguments: [LuaValue], location: LuaLocation? = nil) {
        self.function = function
        self.arguments = arguments
        self.location = location
    }

    /// The argument at a position from 1; nil when it was left out.
    public subscript(position: Int) -> LuaValue {
        arguments.indices.contains(position - 1) ? arguments[position - 1] : .nil
    }

    /// Refuses more or fewer arguments than these.
    public func expectCount(_ range: ClosedRange<Int>) throws(LuaArgumentError) {
        guard !range.contains(arguments.count) else { return }
        throw LuaArgumentError(function: function, count: arguments.count, allowed: range)
    }

    /// Refuses another number of arguments than this.
    public func expectCount(_ count: Int) throws(LuaArgumentError) {
        try expectCount(count...count)
    }

    /// An argument that must be convertible to a Swift type.
    ///
    /// - Throws: an error that names function, position, name, what was expected and what came.
    public func argument<Value: LuaConvertible>(
        _ position: Int,
        _ name: String,
        as type: Value.Type = Value.self
    ) throws(LuaArgumentError) -> Value {
        if let value = Value.from(self[position]) { return value }
        throw mismatch(position, name, expected: Value.luaTypeName)
    }

    /// The error for an argument that does not fit.
    public func mismatch(_ position: Int, _ name: String, expected: String) -> LuaArgumentError {
        LuaArgumentError(
            function: function,
            position: position,
            name: name,
            expected: expected,
            got: self[position]
        )
    }
}

extension LuaCall {
    /// A string argument.
    public func string(_ position: Int, _ name: String) throws(LuaArgumentError) -> String {
        try argument(position, name)
    }

    /// An integer argument; a double without a fraction is one.
    public func integer(_ position: Int, _ name: String) throws(LuaArgumentError) -> Int {
        try argument(position, name)
    }

    /// A number argument.
    public func number(_ position: Int, _ name: String) throws(LuaArgumentError) -> Double {
        try argument(position, name)
    }

    /// A boolean argument.
    public func boolean(_ position: Int, _ name: String) throws(LuaArgumentError) -> Bool {
        try argument(position, name)
    }

    /// A table argument.
    public func table(_ position: Int, _ name: String) throws(LuaArgumentError) -> LuaTable {
        try argument(position, name)
    }

    /// A function argument.
    public func function(_ position: Int, _ name: String) throws(LuaArgumentError) -> LuaFunction {
        try argument(position, name)
    }

    /// The payload of an object argument of a given type.
    public func object<Payload>(
        _ position: Int,
        _ name: String,
        of type: LuaObjectType<Payload>
    ) throws(LuaArgumentError) -> Payload {
        if let payload = self[position].object?.payload(of: type) { return payload }
        throw mismatch(position, name, expected: type.name)
    }
}
