// A definition as exact bytes, with the modules beside it: what a version of the catalogue is, what a run keeps, and what
// an approval is for.

/// The exact bytes of a definition and of the modules of its folder that it names.
package struct DefinitionContent: Sendable, Hashable {
    /// The file's own name, such as `kill-one.lua`: its ending says the language.
    package var fileName: String
    /// The file's bytes.
    package var bytes: [UInt8]
    /// The modules by their path from the file's folder: `lib/ramp.lua`.
    package var modules: [String: [UInt8]]

    /// Makes a content.
    package init(fileName: String, bytes: [UInt8], modules: [String: [UInt8]] = [:]) {
        self.fileName = fileName
        self.bytes = bytes
        self.modules = modules
    }

    /// `sha256:…` of the file's bytes; with modules, of a list of the digests of file and modules.
    ///
    /// Comments and blanks count. The file's name does not, and neither does where it is.
    package var digest: String {
        let file = SHA256.hexDigest(of: bytes)
        guard !modules.isEmpty else { return "sha256:" + file }
        let lines = modules.sorted { $0.key < $1.key }.map { path, bytes in
            "\(path) \(SHA256.hexDigest(of: bytes))\n"
        }
        return "sha256:" + SHA256.hexDigest(of: ("\(file)\n" + lines.joined()).utf8)
    }
}
