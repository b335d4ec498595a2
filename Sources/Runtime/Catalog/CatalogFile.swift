// The database file of the catalogue: made whole or not at all, and never written to unless it is ours and intact.
//
// - A new one is made under another name and linked into place, so that nobody ever sees half of one, and so that of
//   two programs that begin at once one wins and both use the same.
// - Whose it is is read from the first hundred bytes (sqlite.org/fileformat2.html, section 1.3) before SQLite is let
//   at it: opening another program's database could replay its write-ahead log.
// - SQLite's rollback journal, not its write-ahead log: it leaves no files beside it, and works on any file system.

import ChaosModel
import Foundation
import GRDB
import Glibc

/// Opens the catalogue's database.
struct CatalogFile: Sendable {
    /// `Moon`, at byte 68 of the file.
    static let applicationID: UInt32 = 0x4d6f_6f6e
    /// The version of the tables, at byte 60.
    static let schemaVersion: UInt32 = 1

    /// How long another program may hold it.
    private static let patience = 10.0

    let path: String

    /// Whether there is one.
    var exists: Bool { access(path, F_OK) == 0 }

    /// Reads; nil when there is no catalogue yet.
    func read<Value>(_ body: (Database) throws -> Value) throws(CatalogError) -> Value? {
        guard exists else { return nil }
        let database = try open()
        return try attempt { try database.read { try self.checked($0, body) } }
    }

    /// Writes in one transaction; makes the catalogue when there is none.
    func write<Value>(_ body: (Database) throws -> Value) throws(CatalogError) -> Value {
        if !exists { try make() }
        let database = try open()
        return try attempt {
            try database.writeWithoutTransaction { database in
                var result: Value?
                try database.inTransaction(.immediate) {
                    result = try self.checked(database, body)
                    return .commit
                }
                guard let result else { throw CatalogError(.failed, "nothing was written") }
                return result
            }
        }
    }

    /// Does something with a database that SQLite has found intact, under the lock that it was looked at under.
    private func checked<Value>(
        _ database: Database,
        _ body: (Database) throws -> Value
    ) throws -> Value {
        let found = try String.fetchAll(database, sql: "PRAGMA quick_check(1)")
        guard found == ["ok"] else {
            throw CatalogError.leftAlone(path, "is damaged (\(found.first ?? "no answer"))")
        }
        // SQLite takes a last page that is cut short for one with zeros at its end.
        let page = try Int.fetchOne(database, sql: "PRAGMA page_size") ?? 0
        let pages = try Int.fetchOne(database, sql: "PRAGMA page_count") ?? 0
        guard size == page * pages else {
            throw CatalogError.leftAlone(path, "is torn (\(size) bytes, not \(page * pages))")
        }
        return try body(database)
    }

    private var size: Int {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : -1
    }

    private func open() throws(CatalogError) -> DatabaseQueue {
        try checkHeader()
        var configuration = Configuration()
        configuration.busyMode = .timeout(Self.patience)
        configuration.readonly = access(path, W_OK) != 0
        return try attempt { try DatabaseQueue(path: path, configuration: configuration) }
    }

    // MARK: Whose it is

    private func checkHeader() throws(CatalogError) {
        let header = try header()
        guard header.count == 100, header.starts(with: Array("SQLite format 3".utf8) + [0]) else {
            throw .leftAlone(path, "is torn or no database")
        }
        guard Self.number(header, at: 68) == Self.applicationID else {
            throw .leftAlone(path, "is the database of another program")
        }
        let version = Self.number(header, at: 60)
        guard version <= Self.schemaVersion else {
            throw .leftAlone(
                path,
                "was made by a newer Moonquake (version \(version) of its tables, this program knows "
                    + "\(Self.schemaVersion))"
            )
        }
        guard version == Self.schemaVersion else {
            throw .leftAlone(path, "has version \(version) of its tables, which never was")
        }
    }

    private func header() throws(CatalogError) -> [UInt8] {
        guard let file = fopen(path, "rb") else {
            let reason = String(cString: strerror(errno)).lowercased()
            throw CatalogError(.failed, "cannot read the catalogue \(path): \(reason)")
        }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 100)
        let count = fread(&bytes, 1, bytes.count, file)
        return Array(bytes.prefix(count))
    }

    private static func number(_ header: [UInt8], at offset: Int) -> UInt32 {
        header[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) }
    }

    // MARK: Making it

    private func make() throws(CatalogError) {
        let hidden =
            "\(path).new-\(getpid())-\(String(UInt32.random(in: .min ... .max), radix: 16))"
        defer { unlink(hidden) }
        try attempt {
            let database = try DatabaseQueue(path: hidden)
            try database.write { try Self.createTables($0) }
            try database.close()
        }
        // Somebody else's that came first is as good.
        guard link(hidden, path) == 0 || errno == EEXIST else {
            let reason = String(cString: strerror(errno)).lowercased()
            throw CatalogError(.failed, "cannot make the catalogue \(path): \(reason)")
        }
    }

    private static func createTables(_ database: Database) throws {
        try database.execute(
            sql: """
                PRAGMA application_id = \(applicationID);
                PRAGMA user_version = \(schemaVersion);
                CREATE TABLE content (
                    digest TEXT PRIMARY KEY NOT NULL,
                    bytes BLOB NOT NULL
                ) STRICT;
                CREATE TABLE module (
                    digest TEXT NOT NULL REFERENCES content,
                    path TEXT NOT NULL,
                    bytes BLOB NOT NULL,
                    PRIMARY KEY (digest, path)
                ) STRICT;
                CREATE TABLE version (
                    name TEXT NOT NULL,
                    version INTEGER NOT NULL,
                    digest TEXT NOT NULL REFERENCES content,
                    file_name TEXT NOT NULL,
                    titles TEXT NOT NULL,
                    added_at TEXT NOT NULL,
                    program TEXT NOT NULL,
                    PRIMARY KEY (name, version),
                    UNIQUE (name, digest)
                ) STRICT;
                CREATE TABLE run (
                    run_id TEXT PRIMARY KEY NOT NULL,
                    digest TEXT NOT NULL REFERENCES content,
                    file_name TEXT NOT NULL
                ) STRICT;
                """
        )
    }

    // MARK: Errors

    private func attempt<Value>(_ body: () throws -> Value) throws(CatalogError) -> Value {
        do {
            return try body()
        } catch let error as CatalogError {
            throw error
        } catch let error as DatabaseError {
            throw self.error(error)
        } catch {
            throw CatalogError(.failed, "the catalogue \(path): \(error)")
        }
    }

    private func error(_ error: DatabaseError) -> CatalogError {
        let said = error.message ?? "\(error.resultCode)"
        switch error.resultCode {
        case .SQLITE_CORRUPT, .SQLITE_NOTADB: return .leftAlone(path, "is damaged (\(said))")
        case .SQLITE_BUSY:
            return CatalogError(
                .failed,
                "the catalogue \(path) has been in use by another program for \(Int(Self.patience)) s"
            )
        default: return CatalogError(.failed, "cannot use the catalogue \(path): \(said)")
        }
    }
}
