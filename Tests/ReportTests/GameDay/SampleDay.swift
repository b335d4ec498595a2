// A GameDay with everything in it: one experiment of each outcome, a gate, a note, advice, and a notice that failed.

import ChaosGameDay
import ChaosModel

/// Reports of GameDays for the tests.
enum SampleDay {
    private static let start = 1_795_595_400.0

    /// A day that was halted by an abort, `name` being what an outsider can write.
    static func make(_ name: String = "the shop's rehearsal") -> GameDayReport {
        var definition = GameDayDefinition(
            name: name,
            experiments: [.named(name), .inline(title: name)],
            file: name,
            digest: "sha256:0123"
        )
        definition.owner = name
        definition.description = name
        definition.tags = [name]
        var day = GameDayReport(
            gameDayID: "20261125-083000-0a1b2c",
            definition: definition,
            planDigest: "sha256:4567",
            startedAt: Timestamp.iso8601(start)
        )
        day.status = .halted
        day.exitCode = 3
        day.endedAt = Timestamp.iso8601(start + 400)
        day.reasons = ["experiment \"\(name)\" aborted: p99 was above 2s", name]
        let outcomes: [GameDayReport.Outcome] = [
            .held, .deviated, .inconclusive, .failed, .aborted, .skipped,
        ]
        day.experiments = outcomes.enumerated().map { row($0.offset, $0.element, name) }
        day.gates = [gate(name)]
        day.timeline = [
            GameDayReport.Event(at: start, kind: "day", text: "the GameDay begins"),
            GameDayReport.Event(at: start + 70, runID: "run-1", kind: "observation", text: name),
            GameDayReport.Event(at: start + 400, kind: "day", text: name),
        ]
        day.recommendations = [
            Recommendation(
                experiment: name,
                metric: name,
                finding: "\(name) went from 41ms to 325ms at worst",
                advice: "bound the wait for what \(name) hits"
            )
        ]
        day.notifications = [
            NoticeRecord(notifier: name, kind: .starting, attempts: 1, failure: nil, at: start),
            NoticeRecord(notifier: name, kind: .aborted, attempts: 3, failure: name, at: start),
        ]
        return day
    }

    private static func row(
        _ index: Int,
        _ outcome: GameDayReport.Outcome,
        _ name: String
    ) -> GameDayReport.Row {
        var row = GameDayReport.Row(
            .named(name),
            title: name,
            outcome: outcome,
            reason: outcome == .held ? "" : name
        )
        guard outcome != .skipped else { return row }
        row.runID = "run-\(index + 1)"
        row.startedAt = Timestamp.iso8601(start + 60 * Double(index + 1))
        row.endedAt = Timestamp.iso8601(start + 60 * Double(index + 1) + 40)
        row.recoveredAfterMs = 2100
        return row
    }

    private static func gate(_ name: String) -> GateRecord {
        let gate = Gate(
            id: "gate1",
            gameDay: name,
            subject: name,
            planDigest: "sha256:4567",
            approvers: 1,
            openedAt: start + 5,
            expiresAt: start + 900
        )
        let digests = ["sha256:4567", "sha256:other"]
        let answers = digests.map { digest in
            GateAnswer(
                who: name,
                approves: true,
                comment: name,
                at: start + 50,
                planDigest: digest
            )
        }
        return GateRecord(gate: gate, answers: answers, outcome: "approved", decidedAt: start + 50)
    }
}
