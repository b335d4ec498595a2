// YAML as nodes with their lines; JSON has a reader of its own. Plain scalars are read by the core schema of YAML 1.2, so that `no` and
// `1:30` stay texts. A file is bounded in bytes, depth and nodes, aliases counted each time that they are used.

import ChaosModel
import LuaBridge
import Yams

/// A node of a document.
struct DocumentNode: Sendable {
    /// What a node is.
    enum Content: Sendable {
        case nothing
        case scalar(LuaValue)
        case list([DocumentNode])
        case mapping([Field])
    }

    /// A field of a mapping.
    struct Field: Sendable {
        var name: String
        var line: Int
        var value: DocumentNode
    }

    var content: Content
    var line: Int

    /// The fields; nil when it is no mapping.
    var fields: [Field]? {
        if case .mapping(let fields) = content { fields } else { nil }
    }

    /// What it is, in a user's words.
    var given: String {
        switch content {
        case .nothing: "nothing"
        case .scalar(let value): value.given
        case .list: "a list"
        case .mapping(let fields):
            fields.isEmpty ? "an empty mapping" : "a mapping of \(fields[0].name.escapedForDisplay)"
        }
    }
}

/// Reads the documents of a file.
struct DocumentParser {
    private static let mostNodes = 20_000
    private static let mostDepth = 64

    private let file: String
    private var nodes = 0

    private init(file: String) { self.file = file }

    /// The documents of a text, in their order.
    static func documents(
        in file: ScriptFile
    ) throws(DefinitionError) -> [DocumentNode] {
        var parser = DocumentParser(file: file.path)
        if file.kind == .json { return [try JSONDocument.node(in: file)] }
        try parser.checkDepth(file.text)
        var roots: [Node] = []
        do {
            var sequence = try Yams.compose_all(yaml: file.text)
            while let root = sequence.next() { roots.append(root) }
            if let error = sequence.error { throw error }
        } catch let error as YamlError {
            throw parser.failure(error)
        } catch {
            throw DefinitionError(file.path, "cannot be read: \(error)")
        }
        var documents: [DocumentNode] = []
        for root in roots { documents.append(try parser.node(root, depth: 0)) }
        return documents
    }

    /// Brackets and dashes that nest deeper than any definition would, before the parser recurses into them.
    private func checkDepth(_ text: String) throws(DefinitionError) {
        var brackets = 0
        var line = 1
        var dashes = 0
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\n"):
                line += 1
                dashes = 0
            case UInt8(ascii: "["), UInt8(ascii: "{"): brackets += 1
            case UInt8(ascii: "]"), UInt8(ascii: "}"): brackets = max(0, brackets - 1)
            case UInt8(ascii: "-"), UInt8(ascii: "?"), UInt8(ascii: ":"): dashes += 1
            default: break
            }
            // Texts hold brackets too, so that the bound is far above what is needed.
            guard brackets <= 1000, dashes <= 1000 else {
                throw error("nests too deeply", line)
            }
        }
    }

    private mutating func node(_ node: Node, depth: Int) throws(DefinitionError) -> DocumentNode {
        let line = node.mark?.line ?? 1
        nodes += 1
        guard nodes <= Self.mostNodes else {
            throw error("has more than \(Self.mostNodes) nodes", line)
        }
        guard depth <= Self.mostDepth else {
            throw error("nests more than \(Self.mostDepth) levels", line)
        }
        switch node {
        case .scalar(let scalar):
            return DocumentNode(content: try Self.scalar(scalar), line: line)
        case .sequence(let items):
            var list: [DocumentNode] = []
            for item in items { list.append(try self.node(item, depth: depth + 1)) }
            return DocumentNode(content: .list(list), line: line)
        case .mapping(let pairs):
            var fields: [DocumentNode.Field] = []
            for pair in pairs {
                let place = pair.key.mark?.line ?? line
                guard case .scalar(let key) = pair.key else {
                    throw error("a key must be a name", place)
                }
                let value = try self.node(pair.value, depth: depth + 1)
                fields.append(DocumentNode.Field(name: key.string, line: place, value: value))
            }
            return DocumentNode(content: .mapping(fields), line: line)
        case .alias:
            throw error("an alias names no anchor", line)
        }
    }

    private static func scalar(
        _ scalar: Node.Scalar
    ) throws(DefinitionError) -> DocumentNode.Content {
        guard scalar.style == .plain || scalar.style == .any else {
            return .scalar(.string(scalar.string))
        }
        switch scalar.string {
        case "", "~", "null", "Null", "NULL": return .nothing
        case "true", "True", "TRUE": return .scalar(.boolean(true))
        case "false", "False", "FALSE": return .scalar(.boolean(false))
        case let text:
            // Most are words: only what starts like a number is worth a closer look.
            guard let first = text.utf8.first, numberStarts.contains(first) else {
                return .scalar(.string(text))
            }
            if text.wholeMatch(of: /[-+]?[0-9]+/) != nil, let number = Int64(text) {
                return .scalar(.integer(number))
            }
            if text.wholeMatch(of: /[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?/) != nil,
                let number = Double(text.hasSuffix(".") ? text + "0" : text), number.isFinite
            {
                return .scalar(.number(number))
            }
            return .scalar(.string(text))
        }
    }

    private static let numberStarts = Set("+-.0123456789".utf8)

    private func error(_ problem: String, _ line: Int) -> DefinitionError {
        DefinitionError(file, problem, at: SourceLocation(file: file, line: line))
    }

    private func failure(_ error: YamlError) -> DefinitionError {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            return self.error("is not YAML: \(problem.escapedForDisplay)", mark.line)
        case .duplicatedKeysInMapping(let keys, let context):
            let names = keys.map { "\"\($0.description.escapedForDisplay)\"" }.sorted()
            return self.error(
                "has the key \(names.joined(separator: ", ")) twice in one mapping",
                context.mark.line
            )
        case .reader(let problem, _, _, _):
            return DefinitionError(file, "is not YAML: \(problem.escapedForDisplay)")
        default:
            return DefinitionError(file, "is not YAML: \("\(error)".escapedForDisplay)")
        }
    }
}
