// The decoder of one value, which is also its single-value container.

struct LuaValueDecoder: Decoder, SingleValueDecodingContainer {
    let value: LuaValue
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws
        -> KeyedDecodingContainer<Key>
    {
        let container = LuaKeyedContainer<Key>(table: try table(), codingPath: codingPath)
        return KeyedDecodingContainer(container)
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        let table = try table()
        guard let key = table.keys.first else {
            return LuaUnkeyedContainer(values: table.array, codingPath: codingPath)
        }
        throw mismatch("a list", got: "a table with the key \(key)")
    }

    func singleValueContainer() -> any SingleValueDecodingContainer {
        self
    }

    func decodeNil() -> Bool {
        value.isNil
    }

    func decode(_ type: Bool.Type) throws -> Bool {
        try value.boolean ?? fail("a boolean")
    }

    func decode(_ type: String.Type) throws -> String {
        try value.string ?? fail("a string")
    }

    func decode(_ type: Double.Type) throws -> Double {
        try value.number ?? fail("a number")
    }

    func decode(_ type: Float.Type) throws -> Float {
        Float(try value.number ?? fail("a number"))
    }

    func decode(_ type: Int.Type) throws -> Int { try integer() }
    func decode(_ type: Int8.Type) throws -> Int8 { try integer() }
    func decode(_ type: Int16.Type) throws -> Int16 { try integer() }
    func decode(_ type: Int32.Type) throws -> Int32 { try integer() }
    func decode(_ type: Int64.Type) throws -> Int64 { try integer() }
    func decode(_ type: UInt.Type) throws -> UInt { try integer() }
    func decode(_ type: UInt8.Type) throws -> UInt8 { try integer() }
    func decode(_ type: UInt16.Type) throws -> UInt16 { try integer() }
    func decode(_ type: UInt32.Type) throws -> UInt32 { try integer() }
    func decode(_ type: UInt64.Type) throws -> UInt64 { try integer() }

    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        try Value(from: self)
    }

    private func integer<Number: FixedWidthInteger>() throws -> Number {
        guard let whole = value.integer else { return try fail("an integer") }
        guard let number = Number(exactly: whole) else {
            return try fail("an integer between \(Number.min) and \(Number.max)")
        }
        return number
    }

    func table() throws -> LuaTable {
        try value.table ?? fail("a table")
    }

    private func fail<Value>(_ expected: String) throws -> Value {
        throw mismatch(expected, got: value.isNil ? "nothing" : "\(value) (\(value.typeName))")
    }

    private func mismatch(_ expected: String, got: String) -> DecodingError {
        DecodingError.typeMismatch(
            LuaValue.self,
            DecodingError.Context(
                codingPath: codingPath,
                debugDescription: "expected \(expected), got \(got)"
            )
        )
    }
}

extension LuaValue: Decodable {
    /// Takes the value as it is; only `LuaDecoder` can give one.
    public init(from decoder: any Decoder) throws {
        guard let decoder = decoder as? LuaValueDecoder else {
            throw LuaDecodingError(path: "", message: "a Lua value comes only from a LuaDecoder")
        }
        self = decoder.value
    }
}

extension LuaTable: Decodable {
    /// Takes the table as it is; only `LuaDecoder` can give one.
    public init(from decoder: any Decoder) throws {
        guard let decoder = decoder as? LuaValueDecoder else {
            throw LuaDecodingError(path: "", message: "a Lua table comes only from a LuaDecoder")
        }
        self = try decoder.table()
    }
}
