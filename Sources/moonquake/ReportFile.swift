// Reports as files. Whether one can be written is found out before the run, not after it.

import ChaosGameDay
import ChaosLinux
import ChaosModel
import ChaosReport
import Glibc

/// A file that a report goes to; the ending says in which format.
struct ReportFile {
    private let path: String

    /// Checks the ending and that the file can be written.
    init(_ path: String) throws {
        self.path = path
        guard path.hasSuffix(".json") else {
            throw CommandFailure(
                .definition,
                "--report: the ending says the format and must be .json, got \"\(path.escapedForDisplay)\""
            )
        }
        let existed = access(path, F_OK) == 0
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            let reason = String(cString: strerror(errno)).lowercased()
            throw CommandFailure(.definition, "--report: cannot write \(path): \(reason)")
        }
        close(descriptor)
        if !existed { unlink(path) }
    }

    /// Writes the report of a run.
    func write(_ report: RunReport) throws { try write(JSONReport.text(report)) }

    /// Writes the report of a GameDay.
    func write(_ report: GameDayReport) throws { try write(WireJSON.pretty(report) + "\n") }

    private func write(_ text: String) throws {
        guard let file = fopen(path, "w") else { throw failure }
        let isWritten = fputs(text, file) >= 0
        guard fclose(file) == 0, isWritten else { throw failure }
    }

    private var failure: CommandFailure {
        CommandFailure(
            .inconclusive,
            "cannot write \(path): \(String(cString: strerror(errno)).lowercased())"
        )
    }
}

/// The records of runs in a state directory.
struct RunFolder {
    var stateDirectory: String

    /// Keeps a report under the run's name.
    func save(_ report: RunReport) throws {
        try LinuxJournals.makeFolder("\(stateDirectory)/runs")
        try ReportFile(path(of: report)).write(report)
    }

    /// Where the report of a run is kept.
    func path(of report: RunReport) -> String { "\(stateDirectory)/runs/\(report.runID).json" }
}
