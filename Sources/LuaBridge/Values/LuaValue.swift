// A Lua value in Swift: copied where Lua has a value, referenced where it has a function or object.

/// A Lua value that may cross threads.
public enum LuaValue: Sendable, Hashable {
    /// Absence.
    case `nil`
    /// `true` or `false`.
    case boolean(Bool)
    /// A 64-bit integer.
    case integer(Int64)
    /// A double.
    case number(Double)
    /// A string; bytes that are not UTF-8 come as U+FFFD, one for each broken sequence.
    case string(String)
    /// A copy of a table and of all that is in it.
    case table(LuaTable)
    /// A reference to a function of the state.
    case function(LuaFunction)
    /// A Swift value that scripts hold.
    case object(LuaObject)

    /// Lua's name of the type, with `integer` and an object's own name told apart.
    public var typeName: String {
        switch self {
        case .nil: "nil"
        case .boolean: "boolean"
        case .integer: "integer"
        case .number: "number"
        case .string: "string"
        case .table: "table"
        case .function: "function"
        case .object(let object): object.typeName
        }
    }

    /// True for `nil`.
    @inlinable
    public var isNil: Bool {
        if case .nil = self { true } else { false }
    }

    /// The string, nil for any other type.
    @inlinable
    public var string: String? {
        if case .string(let value) = self { value } else { nil }
    }

    /// The integer, also of a double without a fraction.
    @inlinable
    public var integer: Int64? {
        switch self {
        case .integer(let value): value
        case .number(let value): Int64(exactly: value)
        default: nil
        }
    }

    /// The number as a double.
    @inlinable
    public var number: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    /// The boolean, nil for any other type.
    @inlinable
    public var boolean: Bool? {
        if case .boolean(let value) = self { value } else { nil }
    }

    /// The table, nil for any other type.
    @inlinable
    public var table: LuaTable? {
        if case .table(let value) = self { value } else { nil }
    }

    /// The function, nil for any other type.
    @inlinable
    public var function: LuaFunction? {
        if case .function(let value) = self { value } else { nil }
    }

    /// The object, nil for any other type.
    @inlinable
    public var object: LuaObject? {
        if case .object(let value) = self { value } else { nil }
    }
}

extension LuaValue: CustomStringConvertible {
    /// The value as a message shows it: strings quoted, tables by their size.
    public var description: String {
        switch self {
        case .nil: "nil"
        case .boolean(let value): "\(value)"
        case .integer(let value): "\(value)"
        case .number(let value): "\(value)"
        case .string(let value): "\"\(value)\""
        case .table(let value): "table of \(value.array.count + value.fields.count)"
        case .function(let value): "function \(value)"
        case .object(let value): value.description
        }
    }
}
