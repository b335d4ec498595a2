// `moonquake runs`: the history, from the reports that every run leaves in the state directory.

import ArgumentParser
import ChaosLinux
import ChaosModel

struct RunsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "runs",
        abstract: "Lists past runs, the newest first."
    )

    @OptionGroup
    var state: StateOptions

    @Option(name: .long, help: "Only runs whose experiment has this in its name.")
    var name: String?

    @Option(name: .long, help: "Only runs of this owner.")
    var owner: String?

    @Option(name: .long, help: "Only runs with this tag.")
    var tag: String?

    @Option(name: .long, help: "Only runs with this verdict: held, deviated or inconclusive.")
    var verdict: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Only runs of this definition: NAME or NAME@VERSION of the catalogue, a file as it was given, or a digest.",
            valueName: "definition"
        )
    )
    var definition: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Only runs that began since then: a span such as 12h or 7d ago, or a time such as 2026-11-25 or "
                + "2026-11-25T10:00:00Z.",
            valueName: "time"
        )
    )
    var since: String?

    @Option(
        name: .long,
        help: ArgumentHelp("Only runs that began before then; as --since.", valueName: "time")
    )
    var until: String?

    @Option(name: .long, help: "At most so many.")
    var limit = 20

    func run() throws {
        guard limit > 0 else {
            throw CommandFailure(.definition, "--limit: must be 1 or more, got \(limit)")
        }
        let filter = try self.filter
        let folder = RunFolder(stateDirectory: state.path)
        let names = folder.names
        var shown = 0
        for id in names.reversed() where shown < limit {
            let report: RunReport
            do throws(CommandFailure) {
                report = try folder.report(of: id)
            } catch {
                // One torn record must not hide the others.
                Console.error(error.message)
                continue
            }
            guard filter(report) else { continue }
            shown += 1
            let left = report.restoration == .leaked ? "  LEAKED" : ""
            let verdict = report.verdict.rawValue
            let padding = String(repeating: " ", count: max(1, 13 - verdict.count))
            Console.output(
                "\(report.runID)  \(verdict)\(padding)exit \(report.exitCode)  "
                    + report.definition.name.escapedForDisplay + left
            )
        }
        guard shown == 0 else { return }
        Console.error(names.isEmpty ? folder.emptiness : "no run matches in \(folder.path)")
    }

    private var filter: (RunReport) -> Bool {
        get throws {
            let words = Verdict.allCases.map(\.rawValue)
            if let verdict, !words.contains(verdict) {
                throw CommandFailure(
                    .definition,
                    "--verdict: must be one of \(words.joined(separator: ", ")), got "
                        + "\"\(verdict.escapedForDisplay)\""
                )
            }
            let earliest = try Self.moment(since, "--since") ?? 0
            let latest = try Self.moment(until, "--until") ?? .infinity
            let (name, owner, tag, verdict) = (self.name, self.owner, self.tag, self.verdict)
            let definition = self.definition
            return { report in
                (name.map { report.definition.name.contains($0) } ?? true)
                    && (owner.map { report.definition.owner == $0 } ?? true)
                    && (tag.map { report.definition.tags.contains($0) } ?? true)
                    && (verdict.map { report.verdict.rawValue == $0 } ?? true)
                    && (definition.map { Self.isMade(report.definition, of: $0) } ?? true)
                    && report.startedAtSeconds >= earliest && report.startedAtSeconds < latest
            }
        }
    }

    private static func isMade(_ definition: RunReport.Definition, of text: String) -> Bool {
        let isStored = definition.version != nil && definition.file.hasPrefix("\(text)@")
        return definition.file == text || isStored
            || (text.utf8.count >= 8 && definition.digest.hasPrefix(text))
            || (text.utf8.count >= 8 && definition.digest.hasPrefix("sha256:\(text)"))
    }

    /// A moment in seconds since 1970: so long ago, or a time in UTC.
    private static func moment(_ text: String?, _ option: String) throws(CommandFailure) -> Double?
    {
        guard let text else { return nil }
        if let span = Units.seconds(text), span > 0 { return LinuxTime().secondsSince1970 - span }
        if let moment = Timestamp.seconds(text) { return moment }
        throw CommandFailure(
            .definition,
            "\(option): must be a span such as 12h or 7d, or a time such as 2026-11-25 or 2026-11-25T10:00:00Z, got "
                + "\"\(text.escapedForDisplay)\""
        )
    }
}
