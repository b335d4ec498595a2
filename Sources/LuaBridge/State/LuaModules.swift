// Where `require` looks: the script's folder, then the library folders, and nowhere else.

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

    /// The file of a module, `a.b` being `a/b.lua` or `a/b/init.lua`.
    func find(_ name: String) throws -> (text: String, path: String) {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.allSatisfy(Self.isName) else {
            throw LuaNameError(
                "require: \"\(name)\" is no module name: names are letters, digits, _ and -, with "
                    + "dots between them"
            )
        }
        let stem = parts.joined(separator: "/")
        let folders = [scriptFolder].compactMap { $0 } + libraryFolders
        let paths = folders.flatMap { folder in
            ["\(stem).lua", "\(stem)/init.lua"].map { Self.join(folder, $0) }
        }
        for path in paths where access(path, F_OK) == 0 {
            return (try read(path), path)
        }
        throw LuaNameError(
            "require: the module \(name) was not found; looked for " + paths.joined(separator: ", ")
        )
    }

    /// The text of a file; a first line that begins with # is left out.
    func read(_ path: String) throws -> String {
        guard let file = fopen(path, "rb") else {
            throw LuaNameError("cannot read \(path): \(Self.lastError)")
        }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while bytes.count <= mostBytes {
            let count = fread(&buffer, 1, buffer.count, file)
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        guard ferror(file) == 0 else {
            throw LuaNameError("cannot read \(path): \(Self.lastError)")
        }
        guard bytes.count <= mostBytes else {
            throw LuaNameError("cannot read \(path): it is larger than \(mostBytes) bytes")
        }
        if bytes.first == UInt8(ascii: "#") {
            bytes = Array(bytes.drop { $0 != UInt8(ascii: "\n") })
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static var lastError: String {
        String(cString: strerror(errno))
    }

    private static func isName(_ part: Substring) -> Bool {
        !part.isEmpty
            && part.allSatisfy {
                $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == "-")
            }
    }

    private static func join(_ folder: String, _ file: String) -> String {
        switch folder {
        case "", ".": file
        case _ where folder.hasSuffix("/"): folder + file
        default: "\(folder)/\(file)"
        }
    }
}
