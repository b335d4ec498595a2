// Swift literals as Lua values, so that a table can be written down: `["a": 1, "b": [true, nil]]`.

extension LuaValue: ExpressibleByNilLiteral {
    /// `nil`.
    public init(nilLiteral: ()) {
        self = .nil
    }
}

extension LuaValue: ExpressibleByBooleanLiteral {
    /// A boolean.
    public init(booleanLiteral value: Bool) {
        self = .boolean(value)
    }
}

extension LuaValue: ExpressibleByIntegerLiteral {
    /// An integer.
    public init(integerLiteral value: Int64) {
        self = .integer(value)
    }
}

extension LuaValue: ExpressibleByFloatLiteral {
    /// A double.
    public init(floatLiteral value: Double) {
        self = .number(value)
    }
}

extension LuaValue: ExpressibleByStringLiteral, ExpressibleByStringInterpolation {
    /// A string.
    public init(stringLiteral value: String) {
        self = .string(value)
    }
}

extension LuaValue: ExpressibleByArrayLiteral {
    /// A table with an array part.
    public init(arrayLiteral elements: LuaValue...) {
        self = .table(LuaTable(array: elements))
    }
}

extension LuaValue: ExpressibleByDictionaryLiteral {
    /// A table with fields; of equal keys the last wins.
    public init(dictionaryLiteral elements: (String, LuaValue)...) {
        self = .table(LuaTable(fields: Dictionary(elements) { _, last in last }))
    }
}
