// The keyed and the unkeyed container: each value is decoded by a decoder that knows its path.

struct LuaKeyedContainer<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let table: LuaTable
    let codingPath: [any CodingKey]

    var allKeys: [Key] {
        table.keys.compactMap(Key.init(stringValue:))
    }

    func contains(_ key: Key) -> Bool {
        table.fields[key.stringValue] != nil
    }

    func decodeNil(forKey key: Key) throws -> Bool {
        !contains(key)
    }

    func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
        try Value(from: decoder(key))
    }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type,
        forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> {
        try decoder(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try decoder(key).unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder {
        LuaValueDecoder(value: .table(table), codingPath: codingPath)
    }

    func superDecoder(forKey key: Key) throws -> any Decoder {
        try decoder(key)
    }

    private func decoder(_ key: Key) throws -> LuaValueDecoder {
        guard let value = table.fields[key.stringValue] else {
            throw DecodingError.keyNotFound(
                key,
                DecodingError.Context(codingPath: codingPath, debugDescription: "is missing")
            )
        }
        return LuaValueDecoder(value: value, codingPath: codingPath + [key])
    }
}

struct LuaUnkeyedContainer: UnkeyedDecodingContainer {
    let values: [LuaValue]
    let codingPath: [any CodingKey]
    private(set) var currentIndex = 0

    init(values: [LuaValue], codingPath: [any CodingKey]) {
        self.values = values
        self.codingPath = codingPath
    }

    var count: Int? { values.count }
    var isAtEnd: Bool { currentIndex >= values.count }

    mutating func decodeNil() throws -> Bool {
        guard !isAtEnd, values[currentIndex].isNil else { return false }
        currentIndex += 1
        return true
    }

    mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        try Value(from: next())
    }

    mutating func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type
    ) throws -> KeyedDecodingContainer<Nested> {
        try next().container(keyedBy: type)
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        try next().unkeyedContainer()
    }

    mutating func superDecoder() throws -> any Decoder {
        try next()
    }

    private mutating func next() throws -> LuaValueDecoder {
        let path = codingPath + [LuaIndexKey(position: currentIndex + 1)]
        guard !isAtEnd else {
            throw DecodingError.valueNotFound(
                LuaValue.self,
                DecodingError.Context(codingPath: path, debugDescription: "is missing")
            )
        }
        defer { currentIndex += 1 }
        return LuaValueDecoder(value: values[currentIndex], codingPath: path)
    }
}

/// A position in a list, from 1 as in Lua.
struct LuaIndexKey: CodingKey {
    let position: Int
    var intValue: Int? { position }
    var stringValue: String { "\(position)" }

    init(position: Int) {
        self.position = position
    }

    init?(intValue: Int) {
        position = intValue
    }

    init?(stringValue: String) {
        guard let position = Int(stringValue) else { return nil }
        self.position = position
    }
}
