// `moonquake report NAME`: a past run or GameDay in any format; `moonquake report A B`: two runs side by side.

import ArgumentParser
import ChaosGameDay
import ChaosModel
import ChaosReport

struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract:
            "Shows the report of a past run or GameDay in any format, or compares two runs."
    )

    @OptionGroup
    var state: StateOptions

    @Argument(
        help: ArgumentHelp(
            "The runs: names as `moonquake runs` lists them, `last`, or JSON reports; or a GameDay.",
            valueName: "run"
        )
    )
    var runs: [String]

    @Option(
        name: .customLong("report"),
        help: ArgumentHelp(
            "Write it to a file; .json, .html, .md or .xml. Repeatable.",
            valueName: "file"
        )
    )
    var files: [String] = []

    func run() throws {
        guard (1...2).contains(runs.count) else {
            throw CommandFailure(
                .definition,
                "report: give one run, or two to compare, got \(runs.count)"
            )
        }
        let writers = try files.map { try ReportFile($0) }
        let folder = RunFolder(stateDirectory: state.path)
        let days = GameDayStore(stateDirectory: state.path)
        if runs.count == 1, let day = try days.report(of: runs[0]) {
            return try show(day, writers, folder)
        }
        let reports = try runs.map { try folder.report(of: $0) }
        guard reports.count == 1 else {
            guard writers.isEmpty else {
                throw CommandFailure(
                    .definition,
                    "report: --report goes with one run, not with two"
                )
            }
            return Console.write(ReportComparison(reports[0], reports[1]).text, to: 1)
        }
        for writer in writers { try writer.write(reports[0]) }
        if writers.isEmpty {
            let summary = TerminalSummary(colours: Console.hasColours(1))
            Console.write(summary.text(reports[0]), to: 1)
        }
    }

    private func show(_ day: GameDayReport, _ writers: [ReportFile], _ folder: RunFolder) throws {
        for writer in writers { try writer.write(day, runs: folder) }
        if writers.isEmpty {
            let summary = GameDaySummary(colours: Console.hasColours(1))
            Console.write(summary.text(day), to: 1)
        }
    }
}
