// Small files of the state directory: whole or not there.

import ChaosGameDay
import ChaosLinux
import ChaosModel
import Glibc

/// Reads and writes small files.
enum StateFile {
    /// Writes a file under another name first, so that nobody ever reads half of it.
    static func write(_ text: String, to path: String, _ operation: String) throws(KernelError) {
        func failure() -> KernelError {
            KernelError(.failed, operation, String(cString: strerror(errno)).lowercased())
        }
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        do throws(JournalError) {
            try LinuxJournals.makeFolder(folder)
        } catch {
            throw KernelError(.failed, operation, error.description)
        }
        let hidden = "\(path).\(getpid())"
        guard let file = fopen(hidden, "w") else { throw failure() }
        let isWritten = fputs(text, file) >= 0 && fflush(file) == 0 && fsync(fileno(file)) == 0
        guard fclose(file) == 0, isWritten, rename(hidden, path) == 0 else {
            let error = failure()
            unlink(hidden)
            throw error
        }
    }

    /// The text of a file; nil when it cannot be read.
    static func read(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = fread(&buffer, 1, buffer.count, file)
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        return ferror(file) == 0 ? String(decoding: bytes, as: UTF8.self) : nil
    }

    /// A report that this program wrote, of a run or of a GameDay.
    static func report<Report: StoredReport>(_ path: String) throws(CommandFailure) -> Report {
        let shown = path.escapedForDisplay
        guard let text = read(path) else {
            throw CommandFailure(.definition, "cannot read the report \(shown)")
        }
        guard let report = try? WireJSON.value(Report.self, from: text) else {
            throw CommandFailure(
                .definition,
                "\(shown) is torn or no report of Moonquake; it is left alone"
            )
        }
        guard report.schemaVersion == Report.currentSchemaVersion else {
            throw CommandFailure(
                .definition,
                "\(shown) has schema_version \(report.schemaVersion), this program reads "
                    + "\(Report.currentSchemaVersion); it is left alone"
            )
        }
        return report
    }

    /// The names in a folder, or the hidden ones; none when it is not there.
    static func names(in folder: String, hidden: Bool = false) throws(CommandFailure) -> [String] {
        guard let directory = opendir(folder) else {
            guard errno != ENOENT else { return [] }
            let reason = String(cString: strerror(errno)).lowercased()
            throw CommandFailure(.unavailable, "cannot list \(folder): \(reason)")
        }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasPrefix(".") == hidden { names.append(name) }
        }
        return names.sorted()
    }
}

/// A report in a file.
protocol StoredReport: Decodable {
    static var currentSchemaVersion: Int { get }
    var schemaVersion: Int { get }
}

extension RunReport: StoredReport {}
extension GameDayReport: StoredReport {}
