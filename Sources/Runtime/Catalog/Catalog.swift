// Definitions with versions, and the definitions that runs were made with, by their content.
//
// A content is stored once however many names and runs have it. Nothing is ever changed or removed: a version is what
// it was when it got its number.

package import ChaosModel
import Foundation
import GRDB

/// A version of a definition.
package struct CatalogVersion: Sendable, Hashable, Codable {
    /// The name.
    package var name: String
    /// The version, from 1.
    package var version: Int
    /// The digest of its content: `sha256:…`.
    package var digest: String
    /// The name of the file that it came from.
    package var fileName: String
    /// The titles of the experiments that it defines.
    package var titles: [String]
    /// When it got its number: ISO 8601, UTC.
    package var addedAt: String
    /// The version of the program that added it, whose library it was checked with.
    package var program: String

    /// How it is named.
    package var reference: CatalogReference { CatalogReference(name: name, version: version) }
}

/// What became of an addition.
package struct CatalogAddition: Sendable, Hashable {
    /// The version that has the content.
    package var version: CatalogVersion
    /// Whether it is new; an old one was left as it was.
    package var isNew: Bool
    /// The newest version of that name.
    package var newest: Int
}

/// The catalogue of a state directory.
///
/// Safe to use from several processes at once. The file is opened for each call and by no other.
package struct Catalog: Sendable {
    private let file: CatalogFile

    /// Where it is.
    package var path: String { file.path }

    /// Makes a catalogue; nothing is opened or made before something is asked of it.
    package init(stateDirectory: String) {
        file = CatalogFile(path: "\(stateDirectory)/catalogue.sqlite")
    }

    // MARK: Versions

    /// Stores a content under a name.
    ///
    /// A content that the name has had before keeps its version; another gets the next number.
    package func add(
        _ content: DefinitionContent,
        as name: String,
        titles: [String],
        at time: String,
        by program: String
    ) throws(CatalogError) -> CatalogAddition {
        guard CatalogReference.isName(name) else {
            throw CatalogError(.absent, CatalogReference.problem(of: name).text)
        }
        let digest = content.digest
        return try file.write { database in
            let newest = try Int.fetchOne(
                database,
                sql: "SELECT max(version) FROM version WHERE name = ?",
                arguments: [name]
            )
            let known = try Row.fetchOne(
                database,
                sql: "SELECT * FROM version WHERE name = ? AND digest = ?",
                arguments: [name, digest]
            )
            if let known {
                return CatalogAddition(
                    version: try CatalogVersion(known),
                    isNew: false,
                    newest: newest ?? 1
                )
            }
            let version = CatalogVersion(
                name: name,
                version: (newest ?? 0) + 1,
                digest: digest,
                fileName: content.fileName,
                titles: titles,
                addedAt: time,
                program: program
            )
            try Self.store(content, digest, in: database)
            try version.insert(into: database)
            return CatalogAddition(version: version, isNew: true, newest: version.version)
        }
    }

    /// The versions, by name, the newest first; of one name when one is given.
    package func versions(of name: String? = nil) throws(CatalogError) -> [CatalogVersion] {
        try file.read { database in
            try Row.fetchAll(
                database,
                sql:
                    "SELECT * FROM version WHERE ?1 IS NULL OR name = ?1 ORDER BY name, version DESC",
                arguments: [name]
            ).map { try CatalogVersion($0) }
        } ?? []
    }

    /// The version that a reference means, and its exact content.
    ///
    /// - Throws: `.absent` with what there is instead.
    package func find(
        _ reference: CatalogReference
    ) throws(CatalogError) -> (version: CatalogVersion, content: DefinitionContent) {
        let found = try file.read { database -> (CatalogVersion, DefinitionContent)? in
            let row = try Row.fetchOne(
                database,
                sql: """
                    SELECT * FROM version WHERE name = ?1 AND (?2 IS NULL OR version = ?2)
                    ORDER BY version DESC LIMIT 1
                    """,
                arguments: [reference.name, reference.version]
            )
            guard let row else { return nil }
            let version = try CatalogVersion(row)
            return (
                version,
                try self.content(version.digest, called: version.fileName, in: database)
            )
        }
        guard let found = found ?? nil else { throw try absence(of: reference) }
        return found
    }

    private func absence(of reference: CatalogReference) throws(CatalogError) -> CatalogError {
        let all = try versions()
        let numbers = all.filter { $0.name == reference.name }.map(\.version)
        guard let newest = numbers.max() else {
            let names = Set(all.map(\.name))
            let hint =
                names.isEmpty
                ? "; it is empty: `moonquake catalog add FILE` fills it"
                : NearestName.hint(for: reference.name, among: names)
            return CatalogError(
                .absent,
                "the catalogue \(path) has no \"\(reference.name.escapedForDisplay)\"\(hint)"
            )
        }
        return CatalogError(
            .absent,
            "the catalogue \(path) has no \(reference): the newest version is \(reference.name)@\(newest)"
        )
    }

    // MARK: Runs

    /// Keeps the exact content that a run was made with.
    package func keep(_ content: DefinitionContent, ofRun run: String) throws(CatalogError) {
        let digest = content.digest
        try file.write { database in
            try Self.store(content, digest, in: database)
            try database.execute(
                sql: "INSERT OR IGNORE INTO run (run_id, digest, file_name) VALUES (?, ?, ?)",
                arguments: [run, digest, content.fileName]
            )
        }
    }

    /// The exact content that a run was made with; nil when it was not kept.
    package func content(ofRun run: String) throws(CatalogError) -> DefinitionContent? {
        try file.read { database -> DefinitionContent? in
            let row = try Row.fetchOne(
                database,
                sql: "SELECT digest, file_name FROM run WHERE run_id = ?",
                arguments: [run]
            )
            guard let row else { return nil }
            return try self.content(row["digest"], called: row["file_name"], in: database)
        } ?? nil
    }

    // MARK: Contents

    private static func store(
        _ content: DefinitionContent,
        _ digest: String,
        in database: Database
    ) throws {
        try database.execute(
            sql: "INSERT OR IGNORE INTO content (digest, bytes) VALUES (?, ?)",
            arguments: [digest, Data(content.bytes)]
        )
        for (path, bytes) in content.modules {
            try database.execute(
                sql: "INSERT OR IGNORE INTO module (digest, path, bytes) VALUES (?, ?, ?)",
                arguments: [digest, path, Data(bytes)]
            )
        }
    }

    /// A content, found to be what its digest says.
    private func content(
        _ digest: String,
        called fileName: String,
        in database: Database
    ) throws -> DefinitionContent {
        let bytes = try Data.fetchOne(
            database,
            sql: "SELECT bytes FROM content WHERE digest = ?",
            arguments: [digest]
        )
        let modules = try Row.fetchAll(
            database,
            sql: "SELECT path, bytes FROM module WHERE digest = ?",
            arguments: [digest]
        )
        var content = DefinitionContent(fileName: fileName, bytes: Array(bytes ?? Data()))
        for row in modules {
            let bytes: Data = row["bytes"]
            content.modules[row["path"]] = Array(bytes)
        }
        guard bytes != nil, content.digest == digest else {
            throw CatalogError.leftAlone(
                path,
                "is damaged (what it has as \(digest) is something else)"
            )
        }
        return content
    }
}

extension CatalogVersion {
    fileprivate init(_ row: Row) throws {
        let titles: String = row["titles"]
        self.init(
            name: row["name"],
            version: row["version"],
            digest: row["digest"],
            fileName: row["file_name"],
            titles: try WireJSON.value([String].self, from: titles),
            addedAt: row["added_at"],
            program: row["program"]
        )
    }

    fileprivate func insert(into database: Database) throws {
        try database.execute(
            sql: """
                INSERT INTO version (name, version, digest, file_name, titles, added_at, program)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                name, version, digest, fileName, try WireJSON.line(titles), addedAt, program,
            ]
        )
    }
}
