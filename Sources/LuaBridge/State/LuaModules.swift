// Where `require` looks: the script's folder, then the library folders, and nowhere else. Of the script's folder, what
// was read before is taken as it was then, so that all states of one script run the same modules.

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Finds modules and reads script files.
struct LuaModules: Sendable {
    var scriptFolder: String?
    let libraryFolders: [String]
    let mostBytes: Int
    /// What was read of the script's folder before.
    var known = LuaModuleTexts()

    /// The text of a module, `a.b` being `a/b.lua` or `a/b/init.lua`.
    func find(_ name: String) throws -> (text: String, path: String) {
        guard let files = Self.files(of: name) else {
            throw LuaNameError(
                "require: \"\(name)\" is no module name: names are letters, digits, _ and -, with "
                    + "dots between them"
            )
        }
        var looked: [String] = []
        if let scriptFolder {
            for file in files {
                let path = Self.join(scriptFolder, file)
                if let bytes = known.files[file] { return (Self.text(of: bytes), path) }
                if !known.isAll, access(path, F_OK) == 0 { return (try read(path), path) }
                looked.append(path)
            }
        }
        for path in libraryFolders.flatMap({ folder in files.map { Self.join(folder, $0) } }) {
            if access(path, F_OK) == 0 { return (try read(path), path) }
            looked.append(path)
        }
        let why =
            known.isAll
            ? "; of a stored script only the modules that it names literally are kept" : ""
        throw LuaNameError(
            "require: the module \(name) was not found; looked for "
                + looked.joined(separator: ", ") + why
        )
    }

    /// The files that a module may be, from a folder; nil when that is no name of a module.
    static func files(of name: String) -> [String]? {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.allSatisfy(isName) else { return nil }
        let stem = parts.joined(separator: "/")
        return ["\(stem).lua", "\(stem)/init.lua"]
    }

    /// The text of a file; a first line that begins with # is left out.
    func read(_ path: String) throws -> String {
        do throws(BoundedFile.Problem) {
            return Self.text(of: try BoundedFile.bytes(of: path, atMost: mostBytes))
        } catch {
            switch error {
            case .unreadable(let reason): throw LuaNameError("cannot read \(path): \(reason)")
            case .tooLarge:
                throw LuaNameError("cannot read \(path): it is larger than \(mostBytes) bytes")
            }
        }
    }

    private static func text(of bytes: [UInt8]) -> String {
        let isShebang = bytes.first == UInt8(ascii: "#")
        let code = isShebang ? bytes.drop { $0 != UInt8(ascii: "\n") } : bytes[...]
        return String(decoding: code, as: UTF8.self)
    }

    private static func isName(_ part: Substring) -> Bool {
        !part.isEmpty
            && part.allSatisfy {
                $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == "-")
            }
    }

    static func join(_ folder: String, _ file: String) -> String {
        switch folder {
        case "", ".": file
        case _ where folder.hasSuffix("/"): folder + file
        default: "\(folder)/\(file)"
        }
    }
}
