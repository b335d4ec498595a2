// JSON (RFC 8259) as nodes with their lines, which Foundation's decoder does not tell.

import ChaosModel
import LuaBridge

/// Reads one JSON text.
struct JSONDocument {
    private static let mostDepth = 64

    private let file: String
    private let bytes: [UInt8]
    private var index = 0
    private var line = 1

    /// The node of a file's text.
    static func node(in file: ScriptFile) throws(DefinitionError) -> DocumentNode {
        var reader = JSONDocument(file: file.path, bytes: Array(file.text.utf8))
        let node = try reader.value(depth: 0)
        reader.skipBlanks()
        guard reader.next == nil else { throw reader.error("has text after its end") }
        return node
    }

    private init(file: String, bytes: [UInt8]) {
        self.file = file
        self.bytes = bytes
    }

    private var next: UInt8? { index < bytes.count ? bytes[index] : nil }

    private mutating func skipBlanks() {
        while let byte = next, [0x20, 0x09, 0x0a, 0x0d].contains(byte) {
            if byte == 0x0a { line += 1 }
            index += 1
        }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }

    private mutating func value(depth: Int) throws(DefinitionError) -> DocumentNode {
        guard depth <= Self.mostDepth else {
            throw error("nests more than \(Self.mostDepth) levels")
        }
        skipBlanks()
        let start = line
        switch next {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""):
            return DocumentNode(content: .scalar(.string(try string())), line: start)
        default: return DocumentNode(content: try word(), line: start)
        }
    }

    private mutating func object(depth: Int) throws(DefinitionError) -> DocumentNode {
        let start = line
        var fields: [DocumentNode.Field] = []
        var names: Set<String> = []
        index += 1
        skipBlanks()
        if take("}") { return DocumentNode(content: .mapping([]), line: start) }
        repeat {
            skipBlanks()
            let place = line
            guard next == UInt8(ascii: "\"") else { throw error("expects a key in quotes") }
            let name = try string()
            guard names.insert(name).inserted else {
                throw error("has the key \"\(name.escapedForDisplay)\" twice in one object")
            }
            skipBlanks()
            guard take(":") else { throw error("expects a colon after a key") }
            let value = try value(depth: depth + 1)
            fields.append(DocumentNode.Field(name: name, line: place, value: value))
            skipBlanks()
        } while take(",")
        guard take("}") else { throw error("expects a comma or the end of the object") }
        return DocumentNode(content: .mapping(fields), line: start)
    }

    private mutating func array(depth: Int) throws(DefinitionError) -> DocumentNode {
        let start = line
        var items: [DocumentNode] = []
        index += 1
        skipBlanks()
        if take("]") { return DocumentNode(content: .list([]), line: start) }
        repeat {
            items.append(try value(depth: depth + 1))
            skipBlanks()
        } while take(",")
        guard take("]") else { throw error("expects a comma or the end of the list") }
        return DocumentNode(content: .list(items), line: start)
    }

    /// A number, true, false or null.
    private mutating func word() throws(DefinitionError) -> DocumentNode.Content {
        let start = index
        while let byte = next, Self.isPlain(byte) { index += 1 }
        let text = String(decoding: bytes[start..<index], as: UTF8.self)
        switch text {
        case "": throw error(next == nil ? "ends too early" : "expects a value")
        case "true": return .scalar(.boolean(true))
        case "false": return .scalar(.boolean(false))
        case "null": return .nothing
        default:
            guard let number = Self.number(text) else {
                throw error("expects a value, got \(text.escapedForDisplay)")
            }
            return .scalar(number)
        }
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "+"), UInt8(ascii: "-"),
            UInt8(ascii: "."), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    private static func number(_ text: String) -> LuaValue? {
        let shape = /-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/
        guard text.wholeMatch(of: shape) != nil else { return nil }
        if let whole = Int64(text) { return .integer(whole) }
        return Double(text).flatMap { $0.isFinite ? .number($0) : nil }
    }

    private mutating func string() throws(DefinitionError) -> String {
        var text: [UInt8] = []
        index += 1
        while let byte = next {
            index += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"): text += Array(String(try escape()).utf8)
            case 0..<0x20: throw error("has a control character in a string: write it with \\u")
            default: text.append(byte)
            }
        }
        throw error("ends inside a string")
    }

    private mutating func escape() throws(DefinitionError) -> Unicode.Scalar {
        let byte = next
        index += 1
        switch byte {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): break
        default: throw error("has an unknown escape in a string")
        }
        var code = try hexadecimal()
        if (0xd800...0xdbff).contains(code), take("\\"), take("u") {
            let low = try hexadecimal()
            guard (0xdc00...0xdfff).contains(low) else { throw error("has half a surrogate pair") }
            code = 0x10000 + (code - 0xd800) << 10 + (low - 0xdc00)
        }
        guard let scalar = Unicode.Scalar(code) else { throw error("has half a surrogate pair") }
        return scalar
    }

    private mutating func hexadecimal() throws(DefinitionError) -> UInt32 {
        let digits = String(decoding: bytes[index...].prefix(4), as: UTF8.self)
        guard digits.count == 4, digits.allSatisfy(\.isHexDigit),
            let code = UInt32(digits, radix: 16)
        else { throw error("expects four hexadecimal digits after \\u") }
        index += 4
        return code
    }

    private func error(_ problem: String) -> DefinitionError {
        let shown = "is not the JSON of a definition: it \(problem)"
        return DefinitionError(file, shown, at: SourceLocation(file: file, line: line))
    }
}
