// Folders of tests, below the folder for temporary files.

public import Foundation

/// A folder that goes away with its owner.
public final class TestFolder: Sendable {
    /// Its path, without a slash at the end.
    public let path: String

    /// Makes it.
    public init() throws {
        let files = FileManager.default
        path = files.temporaryDirectory.appending(path: "moonquake-\(UUID())").path
        try files.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// A file in it, which need not be there.
    public subscript(name: String) -> URL { URL(filePath: "\(path)/\(name)") }

    /// Writes a file, with the folders that its name wants, and returns its path.
    @discardableResult
    public func write(_ text: some StringProtocol, as name: String) throws -> String {
        let file = self[name]
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(),
            withIntermediateDirectories: true
        )
        try Data(text.utf8).write(to: file)
        return file.path
    }
}

/// Gives a body the path of a folder, which goes away after it.
public func withFolder<Result>(_ body: (String) async throws -> Result) async throws -> Result {
    let folder = try TestFolder()
    defer { withExtendedLifetime(folder) {} }
    return try await body(folder.path)
}
