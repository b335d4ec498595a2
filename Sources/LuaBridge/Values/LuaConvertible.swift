// Swift types that arguments and results may have.

/// A Swift type with a counterpart in Lua.
public protocol LuaConvertible: Sendable {
    /// How messages call the type.
    static var luaTypeName: String { get }
    /// The value, nil when the Lua value does not fit.
    static func from(_ value: LuaValue) -> Self?
    /// The Lua value.
    var luaValue: LuaValue { get }
}

extension LuaValue: LuaConvertible {
    /// Any type.
    @inlinable
    public static var luaTypeName: String { "value" }

    /// The value itself.
    @inlinable
    public static func from(_ value: LuaValue) -> LuaValue? {
        value
    }

    /// The value itself.
    @inlinable
    public var luaValue: LuaValue { self }
}

extension Bool: LuaConvertible {
    /// `boolean`.
    @inlinable
    public static var luaTypeName: String { "boolean" }

    /// Only a boolean fits; nil is not false.
    @inlinable
    public static func from(_ value: LuaValue) -> Bool? {
        value.boolean
    }

    /// A boolean.
    @inlinable
    public var luaValue: LuaValue { .boolean(self) }
}

extension Int: LuaConvertible {
    /// `integer`.
    @inlinable
    public static var luaTypeName: String { "integer" }

    /// An integer, or a double without a fraction.
    @inlinable
    public static func from(_ value: LuaValue) -> Int? {
        value.integer.flatMap(Int.init(exactly:))
    }

    /// An integer.
    @inlinable
    public var luaValue: LuaValue { .integer(Int64(self)) }
}

extension Double: LuaConvertible {
    /// `number`.
    @inlinable
    public static var luaTypeName: String { "number" }

    /// Any number fits.
    @inlinable
    public static func from(_ value: LuaValue) -> Double? {
        value.number
    }

    /// A double.
    @inlinable
    public var luaValue: LuaValue { .number(self) }
}

extension String: LuaConvertible {
    /// `string`.
    @inlinable
    public static var luaTypeName: String { "string" }

    /// Only a string fits; a number is not turned into one.
    @inlinable
    public static func from(_ value: LuaValue) -> String? {
        value.string
    }

    /// A string.
    @inlinable
    public var luaValue: LuaValue { .string(self) }
}

extension LuaTable: LuaConvertible {
    /// `table`.
    @inlinable
    public static var luaTypeName: String { "table" }

    /// Only a table fits.
    @inlinable
    public static func from(_ value: LuaValue) -> LuaTable? {
        value.table
    }

    /// A table.
    @inlinable
    public var luaValue: LuaValue { .table(self) }
}

extension Optional: LuaConvertible where Wrapped: LuaConvertible {
    /// The wrapped type's name, `or nil`.
    @inlinable
    public static var luaTypeName: String { "\(Wrapped.luaTypeName) or nil" }

    /// Nil, or what fits the wrapped type.
    @inlinable
    public static func from(_ value: LuaValue) -> Wrapped?? {
        if value.isNil { return .some(.none) }
        return Wrapped.from(value).map { .some($0) }
    }

    /// Nil or the wrapped value.
    @inlinable
    public var luaValue: LuaValue {
        map(\.luaValue) ?? .nil
    }
}

extension Array: LuaConvertible where Element: LuaConvertible {
    /// `list of` the element's name.
    @inlinable
    public static var luaTypeName: String { "list of \(Element.luaTypeName)" }

    /// A table without fields, all of whose elements fit.
    @inlinable
    public static func from(_ value: LuaValue) -> [Element]? {
        guard case .table(let table) = value, table.fields.isEmpty else { return nil }
        let values = table.array.compactMap(Element.from)
        return values.count == table.array.count ? values : nil
    }

    /// A table with an array part.
    @inlinable
    public var luaValue: LuaValue {
        .table(LuaTable(array: map(\.luaValue)))
    }
}

extension LuaFunction: LuaConvertible {
    /// `function`.
    @inlinable
    public static var luaTypeName: String { "function" }

    /// Only a function fits.
    @inlinable
    public static func from(_ value: LuaValue) -> LuaFunction? {
        value.function
    }

    /// A function.
    @inlinable
    public var luaValue: LuaValue { .function(self) }
}

extension LuaObject: LuaConvertible {
    /// `object`.
    @inlinable
    public static var luaTypeName: String { "object" }

    /// Any object fits.
    @inlinable
    public static func from(_ value: LuaValue) -> LuaObject? {
        value.object
    }

    /// An object.
    @inlinable
    public var luaValue: LuaValue { .object(self) }
}
