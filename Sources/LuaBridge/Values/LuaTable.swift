// A table as a value: an array part and named fields. Lua's other keys have no use in a definition
// and are refused when a table is converted.

/// A copy of a Lua table.
public struct LuaTable: Sendable, Hashable {
    /// The values under 1, 2, 3, ….
    public var array: [LuaValue]
    /// The values under strings.
    public var fields: [String: LuaValue]

    /// An empty table.
    public init() {
        array = []
        fields = [:]
    }

    /// Makes a table from its two parts.
    public init(array: [LuaValue] = [], fields: [String: LuaValue] = [:]) {
        self.array = array
        self.fields = fields
    }

    /// True when nothing is in it.
    public var isEmpty: Bool {
        array.isEmpty && fields.isEmpty
    }

    /// The names of the fields, sorted.
    public var keys: [String] {
        fields.keys.sorted()
    }

    /// The fields, sorted by name: the order in which to go through a table.
    public var sortedFields: [(key: String, value: LuaValue)] {
        fields.sorted { $0.key < $1.key }
    }

    /// A field; nil when there is none, and setting nil removes it.
    public subscript(key: String) -> LuaValue {
        get { fields[key] ?? .nil }
        set {
            if newValue.isNil {
                fields.removeValue(forKey: key)
            } else {
                fields[key] = newValue
            }
        }
    }

    /// The value under an index from 1, as in Lua; nil outside of the array part.
    public subscript(index: Int) -> LuaValue {
        array.indices.contains(index - 1) ? array[index - 1] : .nil
    }
}

extension LuaTable: ExpressibleByArrayLiteral {
    /// A table with an array part.
    public init(arrayLiteral elements: LuaValue...) {
        self.init(array: elements)
    }
}

extension LuaTable: ExpressibleByDictionaryLiteral {
    /// A table with fields; of equal keys the last wins.
    public init(dictionaryLiteral elements: (String, LuaValue)...) {
        self.init(fields: Dictionary(elements) { _, last in last })
    }
}
