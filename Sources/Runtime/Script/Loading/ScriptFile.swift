// The text of a script, read once. Every state that runs it is given this text, so that the digest in the report
// is the digest of what was run, whatever happens to the file meanwhile.

import ChaosModel
import LuaBridge

/// A script file as it was read.
struct ScriptFile: Sendable {
    /// The languages of definitions, told by the ending.
    enum Kind: Sendable {
        case lua, yaml, json

        init(path: String) {
            let ending = path.split(separator: ".").last?.lowercased() ?? ""
            switch ending {
            case "yaml", "yml": self = .yaml
            case "json": self = .json
            default: self = .lua
            }
        }
    }

    /// The most bytes that a script may have.
    static let mostBytes = 1 << 20

    /// The path as the user gave it, or what a stored definition is called.
    let path: String
    /// The exact bytes, and those of the modules that it names.
    let content: DefinitionContent
    /// Whether it was stored before: then its folder has nothing more to say.
    let isStored: Bool
    /// The text, ready to be compiled.
    let text: String
    /// `sha256:` and the digest of the content.
    let digest: String

    /// The language.
    var kind: Kind { Kind(path: content.fileName) }

    /// The folder that `require` looks in first; of a stored definition, what its modules are called by.
    var folder: String { isStored ? path : Self.folder(of: path) }

    /// The file's name without its ending: the name of a plain script.
    var baseName: String {
        let name = content.fileName
        return name.hasSuffix(".lua") && name.count > 4 ? String(name.dropLast(4)) : name
    }

    /// The modules that `require` takes from here.
    var modules: LuaModuleTexts { LuaModuleTexts(content.modules, isAll: isStored) }

    /// Reads a file, and the modules of its folder that it names.
    init(reading path: String) throws(ScriptError) {
        let bytes = try Self.bytes(of: path)
        let name = path.split(separator: "/").last.map(String.init) ?? path
        var content = DefinitionContent(fileName: name, bytes: bytes)
        if Kind(path: name) == .lua {
            do {
                content.modules = try LuaModuleTexts(
                    requiredBy: bytes,
                    in: Self.folder(of: path),
                    mostBytes: Self.mostBytes
                ).files
            } catch {
                throw .unreadable(file: path, reason: "\(error)")
            }
        }
        try self.init(content, called: path, isStored: false)
    }

    /// Takes a stored definition.
    init(stored content: DefinitionContent, called name: String) throws(ScriptError) {
        try self.init(content, called: name, isStored: true)
    }

    /// Begins a text that a person writes at a prompt, in the current folder.
    init(prompt name: String) throws(ScriptError) {
        let content = DefinitionContent(fileName: "\(name).lua", bytes: [])
        try self.init(content, called: name, isStored: false)
    }

    private init(
        _ content: DefinitionContent,
        called path: String,
        isStored: Bool
    ) throws(ScriptError) {
        self.path = path
        self.content = content
        self.isStored = isStored
        digest = content.digest
        let bytes = content.bytes
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw .unreadable(file: path, reason: "it is not UTF-8 text")
        }
        guard Kind(path: content.fileName) == .lua else {
            text = String(decoding: bytes, as: UTF8.self)
            return
        }
        // A first line for the shell is not Lua; its line end stays, so that lines keep their numbers.
        let isShebang = bytes.first == UInt8(ascii: "#")
        let code = isShebang ? bytes.drop { $0 != UInt8(ascii: "\n") } : bytes[...]
        text = String(decoding: code, as: UTF8.self)
    }

    private static func folder(of path: String) -> String {
        path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    }

    private static func bytes(of path: String) throws(ScriptError) -> [UInt8] {
        do throws(BoundedFile.Problem) {
            return try BoundedFile.bytes(of: path, atMost: mostBytes)
        } catch {
            switch error {
            case .unreadable(let why): throw .unreadable(file: path, reason: why.lowercased())
            case .tooLarge: throw .tooLarge(file: path, mostBytes: mostBytes)
            }
        }
    }
}
