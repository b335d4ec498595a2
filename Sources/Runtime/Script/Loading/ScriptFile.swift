// The text of a script, read once. Every state that runs it is given this text, so that the digest in the report
// is the digest of what was run, whatever happens to the file meanwhile.

import ChaosModel

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

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

    /// The path as the user gave it.
    let path: String
    /// The text, ready to be compiled.
    let text: String
    /// `sha256:` and the digest of the file's bytes.
    let digest: String

    /// The language.
    var kind: Kind { Kind(path: path) }

    /// The folder that `require` looks in first.
    var folder: String {
        path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    }

    /// The file's name without its ending: the name of a plain script.
    var baseName: String {
        let name = path.split(separator: "/").last.map(String.init) ?? path
        return name.hasSuffix(".lua") && name.count > 4 ? String(name.dropLast(4)) : name
    }

    /// Reads a file.
    init(reading path: String) throws(ScriptError) {
        let bytes = try Self.bytes(of: path)
        self.path = path
        digest = "sha256:" + SHA256.hexDigest(of: bytes)
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw .unreadable(file: path, reason: "it is not UTF-8 text")
        }
        guard Kind(path: path) == .lua else {
            text = String(decoding: bytes, as: UTF8.self)
            return
        }
        // A first line for the shell is not Lua; its line end stays, so that lines keep their numbers.
        let isShebang = bytes.first == UInt8(ascii: "#")
        let code = isShebang ? bytes.drop { $0 != UInt8(ascii: "\n") } : bytes[...]
        text = String(decoding: code, as: UTF8.self)
    }

    private static func bytes(of path: String) throws(ScriptError) -> [UInt8] {
        guard let file = fopen(path, "rb") else { throw failure(path) }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while bytes.count <= mostBytes {
            let count = fread(&buffer, 1, buffer.count, file)
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        guard ferror(file) == 0 else { throw failure(path) }
        guard bytes.count <= mostBytes else { throw .tooLarge(file: path, mostBytes: mostBytes) }
        return bytes
    }

    private static func failure(_ path: String) -> ScriptError {
        .unreadable(file: path, reason: String(cString: strerror(errno)).lowercased())
    }
}
