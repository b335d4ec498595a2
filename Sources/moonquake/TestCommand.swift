// `moonquake test`: tests of scripts, on a made-up machine in a made-up time.

import ArgumentParser
import ChaosFaults
import ChaosLinux
import ChaosModel
import ChaosTesting
import Glibc

struct TestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Runs tests of scripts on a simulated machine, in a simulated time."
    )

    @Argument(help: "The files of tests: Lua scripts such as kill-one_test.lua.")
    var files: [String]

    @Option(
        name: .long,
        help: ArgumentHelp("Only tests whose names contain this.", valueName: "text")
    )
    var filter: String?

    @Option(name: .long, help: "The seed of every choice left to chance.")
    var seed: UInt64 = 1

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Keep the report and the agent's journal of each run in this folder.",
            valueName: "folder"
        )
    )
    var keep: String?

    func run() async throws {
        try await OneThread.shared.begin {
            Console.error("nothing can happen any more: a test waits for what never comes")
            Glibc.exit(ChaosModel.ExitCode.inconclusive.rawValue)
        }
        let parts = TestParts(
            faults: .all,
            libraryFolders: ScriptOptions.libraryFolders,
            seed: seed
        )
        var tally = TestTally()
        for path in files {
            let file: TestFile
            do throws(TestFileError) {
                file = try await TestFile(path, parts: parts)
            } catch {
                let traceback = error.traceback.isEmpty ? "" : "\n\(error.traceback)"
                throw CommandFailure(.definition, error.description + traceback)
            }
            Console.output(path)
            try await file.run(where: { name in filter.map(name.contains) ?? true }) { result in
                tally.add(result)
                Console.write(TestLines.text(of: result), to: STDOUT_FILENO)
                if let keep {
                    try KeptRuns(folder: keep, file: path).write(result, number: tally.count)
                }
            }
        }
        guard tally.count > 0 else {
            let all = filter.map { "no test has \"\($0.escapedForDisplay)\" in its name" }
            throw CommandFailure(.definition, "--filter: \(all ?? "there are no tests")")
        }
        Console.output("\(tally.text) (seed \(seed))")
        Glibc.exit(
            (tally.failed == 0 ? ChaosModel.ExitCode.held : ChaosModel.ExitCode.deviated).rawValue
        )
    }
}

/// How many tests passed, and how long they took.
private struct TestTally {
    private(set) var count = 0
    private(set) var failed = 0
    private var took = Duration.zero

    mutating func add(_ result: TestResult) {
        count += 1
        if result.failure != nil { failed += 1 }
        took += result.took
    }

    var text: String {
        "\(count) test\(count == 1 ? "" : "s"): \(count - failed) passed, \(failed) failed, \(took.spelled)"
    }
}

/// What is printed of a test.
private enum TestLines {
    static func text(of result: TestResult) -> String {
        let word = result.failure == nil ? "ok  " : "FAIL"
        var lines = ["  \(word) \(result.name.escapedForDisplay) (\(result.took.spelled))"]
        lines += result.printed.map { "       | \($0)" }
        if let failure = result.failure { lines += text(of: failure, result) }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func text(of failure: TestFailure, _ result: TestResult) -> [String] {
        let place = failure.location.map { "\($0): " } ?? ""
        var lines = ["       \(place)\(failure.message)"]
        lines += failure.traceback.map { "         \($0)" }
        if let report = result.records.last?.report {
            lines.append(
                "       the last run, \"\(report.definition.name)\": verdict \(report.verdict.rawValue), "
                    + "status \(report.status.rawValue), \(report.restoration.rawValue), exit \(report.exitCode)"
            )
            lines += report.reasons.map { "         \($0)" }
        }
        return lines
    }
}

/// The folder in which the runs of tests are kept.
private struct KeptRuns {
    let folder: String
    let file: String

    /// Writes what a test ran: `FOLDER/kill-one_test.lua/1-2.report.json` is of the second run of the first test.
    func write(_ result: TestResult, number: Int) throws {
        let name = file.split(separator: "/").last.map(String.init) ?? file
        let path = "\(folder)/\(name)"
        try LinuxJournals.makeFolder(path)
        for (index, record) in result.records.enumerated() {
            let stem = "\(path)/\(number)-\(index + 1)"
            try ReportFile("\(stem).report.json").write(record.report)
            let lines = record.journal.map { $0 + "\n" }.joined()
            try StateFile.write(lines, to: "\(stem).journal.jsonl", "keep a journal")
        }
    }
}
