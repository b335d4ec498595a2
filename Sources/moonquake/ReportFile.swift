// Reports as files. Whether one can be written is found out before the run, not after it.

import ChaosGameDay
import ChaosLinux
import ChaosModel
import ChaosReport
import FoundationEssentials
import Glibc

/// A file that a report goes to; the ending says in which format.
struct ReportFile {
    private let path: String
    private let format: ReportFormat

    /// Checks the ending and that the file can be written.
    init(_ path: String) throws {
        self.path = path
        guard let format = ReportFormat(path: path) else {
            let endings = ReportFormat.endings.joined(separator: ", ")
            throw CommandFailure(
                .definition,
                "--report: the ending says the format and must be one of \(endings), "
                    + "got \"\(path.escapedForDisplay)\""
            )
        }
        self.format = format
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
    func write(_ report: RunReport) throws { try write(format.text(report)) }

    /// Writes the report of a GameDay, and beside it those of its runs, so that it can link to them.
    func write(_ report: GameDayReport, runs: RunFolder) throws {
        var links: [String: String] = [:]
        if let ending = format.linkedEnding {
            let stem = String(path[..<(path.lastIndex(of: ".") ?? path.endIndex)])
            for run in runs.reports(of: report) {
                let name = "\(run.runID)\(ending)"
                try LinuxJournals.makeFolder("\(stem).runs")
                try ReportFile("\(stem).runs/\(name)").write(run)
                links[run.runID] = "\(stem.split(separator: "/").last ?? "").runs/\(name)"
            }
        }
        try write(format.text(report, links: links))
    }

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

    /// The folder.
    var path: String { "\(stateDirectory)/runs" }

    /// The names of the runs that are recorded here, the oldest first: they begin with their time.
    var names: [String] {
        let files = (try? StateFile.names(in: path)) ?? []
        return files.filter { $0.hasSuffix(".json") }.map { String($0.dropLast(5)) }
    }

    /// What is said when there are none.
    var emptiness: String { "no run is recorded yet in \(path)" }

    /// Keeps a report under the run's name: whole, or not at all.
    func save(_ report: RunReport) throws {
        try LinuxJournals.makeFolder(path)
        let hidden = "\(path)/.\(report.runID).json"
        try ReportFile(hidden).write(report)
        guard rename(hidden, "\(path)/\(report.runID).json") == 0 else {
            let reason = String(cString: strerror(errno)).lowercased()
            unlink(hidden)
            throw CommandFailure(.inconclusive, "cannot keep the report in \(path): \(reason)")
        }
    }

    /// The report of a run: by its name, `last`, or a file.
    func report(of run: String) throws(CommandFailure) -> RunReport {
        if run.contains("/") || run.hasSuffix(".json") { return try StateFile.report(run) }
        let names = names
        guard let name = run == "last" ? newest(of: names) : names.first(where: { $0 == run })
        else {
            if names.isEmpty { throw CommandFailure(.definition, emptiness) }
            let hint = NearestName.of(run, among: names).map { "; did you mean \"\($0)\"?" }
            throw CommandFailure(
                .definition,
                "there is no run \"\(run.escapedForDisplay)\" in \(path)"
                    + (hint ?? "; `moonquake runs` lists them")
            )
        }
        return try StateFile.report("\(path)/\(name).json")
    }

    /// The reports of a day's runs, as far as they are kept here.
    func reports(of day: GameDayReport) -> [RunReport] {
        let names = Set(names)
        return day.experiments.compactMap(\.runID).filter(names.contains).compactMap {
            try? report(of: $0)
        }
    }

    /// The run that began last: those of one second have no order by their names.
    private func newest(of names: [String]) -> String? {
        let rivals = names.filter { $0.prefix(15) == names.last?.prefix(15) }
        guard rivals.count > 1 else { return names.last }
        let times = rivals.map { name in
            (name, (try? report(of: name))?.startedAtSeconds ?? 0)
        }
        return times.max { $0.1 < $1.1 }?.0
    }

    /// Where the report of a run is kept.
    func path(of report: RunReport) -> String { "\(stateDirectory)/runs/\(report.runID).json" }
}
