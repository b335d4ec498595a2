// What whoever starts something wants to have of it: reports in files, and to watch it.

import ArgumentParser
import ChaosModel
import ChaosReport
import Glibc

/// The files that a report goes to.
struct ReportOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "Write the report to a file; .json, .html, .md or .xml. Repeatable.",
            valueName: "file"
        )
    )
    var report: [String] = []

    /// The files, none of which is written yet.
    ///
    /// - Throws: which ending is no format.
    var writers: [ReportFile] { get throws { try report.map { try ReportFile($0) } } }
}

extension Console {
    /// Who tells of a run: on standard error for a person, or as JSON lines on standard output.
    static func observer(json: Bool) -> any RunObserver {
        if json { return JSONProgress { output($0) } }
        return TerminalProgress(
            isTerminal: isTerminal(STDERR_FILENO),
            width: width(STDERR_FILENO),
            colours: hasColours(STDERR_FILENO),
            write: { write($0, to: STDERR_FILENO) }
        )
    }
}
