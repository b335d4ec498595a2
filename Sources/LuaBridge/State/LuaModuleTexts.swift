// The modules of a script's own folder as they were at one moment: so that every state of the script runs the same
// ones, and so that they can be kept with it.
//
// Which modules those are is read from the text: `require "name"` with the name written out, in the script and in what
// it requires. A comment that says so counts too, which does no harm; a name that is computed is not seen.

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The texts of modules, by their path from the script's folder: `lib/ramp.lua`.
public struct LuaModuleTexts: Sendable, Hashable {
    /// The exact bytes of each.
    public var files: [String: [UInt8]]
    /// Whether these are all there are, so that the folder itself is not looked into.
    public var isAll: Bool

    /// The most modules that a script may name.
    public static let mostFiles = 256

    /// Makes texts.
    public init(_ files: [String: [UInt8]] = [:], isAll: Bool = false) {
        self.files = files
        self.isAll = isAll
    }

    /// Reads what a script names, and what that names, from the script's folder.
    ///
    /// What is not there is left out: it may be in a library, and `require` tells when it is nowhere.
    ///
    /// - Parameters:
    ///   - script: The script's bytes.
    ///   - folder: Its folder.
    ///   - mostBytes: The most bytes that a module may have.
    /// - Throws: in words, when there are too many.
    public init(
        requiredBy script: some Collection<UInt8>,
        in folder: String,
        mostBytes: Int
    ) throws {
        self.init()
        var left = Self.names(in: script)
        var seen = Set(left)
        while let name = left.popLast() {
            guard
                let file = LuaModules.files(of: name)?.first(where: {
                    access(LuaModules.join(folder, $0), F_OK) == 0
                })
            else { continue }
            // One that cannot be read is told by `require`, if it comes to that.
            let path = LuaModules.join(folder, file)
            guard let bytes = try? BoundedFile.bytes(of: path, atMost: mostBytes) else { continue }
            files[file] = bytes
            guard files.count <= Self.mostFiles else {
                throw LuaNameError("require: a script names \(Self.mostFiles) modules at most")
            }
            left += Self.names(in: bytes).filter { seen.insert($0).inserted }
        }
    }

    /// The names that a text requires: `require "a.b"`, with any quotes, with or without parentheses.
    static func names(in text: some Collection<UInt8>) -> [String] {
        let word = Array("require".utf8)
        let text = Array(text)
        var names: [String] = []
        var index = 0
        while index + word.count < text.count {
            guard text[index] == word[0], text[index..<index + word.count].elementsEqual(word)
            else {
                index += 1
                continue
            }
            let isWhole = index == 0 || !isNameByte(text[index - 1])
            index += word.count
            if isWhole, let name = quoted(text[index...]) { names.append(name) }
        }
        return names
    }

    /// The text in quotes that comes next, after blanks and an opening parenthesis.
    private static func quoted(_ text: ArraySlice<UInt8>) -> String? {
        let blanks: Set<UInt8> = [0x20, 0x09, 0x0a, 0x0d]
        var rest = text.drop { blanks.contains($0) }
        if rest.first == UInt8(ascii: "(") { rest = rest.dropFirst().drop { blanks.contains($0) } }
        let close: UInt8
        switch rest.first {
        case UInt8(ascii: "\""), UInt8(ascii: "'"):
            close = rest[rest.startIndex]
            rest = rest.dropFirst()
        case UInt8(ascii: "[") where rest.dropFirst().first == UInt8(ascii: "["):
            close = UInt8(ascii: "]")
            rest = rest.dropFirst(2)
        default: return nil
        }
        let name = rest.prefix(1024).prefix { $0 != close && $0 != 0x0a }
        return String(validating: name, as: UTF8.self)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        let scalar = Character(UnicodeScalar(byte))
        return byte < 0x80 && (scalar.isLetter || scalar.isNumber || scalar == "_")
    }
}
