// What the formats of a GameDay's report say in the same words.

import ChaosGameDay
import ChaosModel

extension GameDayReport {
    /// `PASSED`, or what it is instead.
    var word: String {
        if passed { return "PASSED" }
        return status == .running ? "CUT OFF" : "DID NOT PASS"
    }

    /// Whether something is left.
    var isLeaked: Bool { experiments.contains { $0.outcome == .leaked } }

    /// How many experiments held.
    var score: String {
        "\(experiments.count { $0.outcome == .held }) of \(experiments.count) experiments held"
    }

    /// Milliseconds since the day began, of a time in seconds since 1970.
    func offsetMs(_ at: Double) -> Double {
        let start = Timestamp.seconds(startedAt) ?? timeline.first?.at ?? at
        return max(0, (at - start) * 1000)
    }

    /// How long the day was, in milliseconds.
    var lengthMs: Double {
        let ends = [Timestamp.seconds(endedAt), timeline.last?.at].compactMap { $0 }
        return max(1, ends.map(offsetMs).max() ?? 1)
    }

    /// The title of the experiment of a run.
    func title(ofRun run: String) -> String {
        experiments.first { $0.runID == run }?.title ?? run
    }

    /// The notes of humans, with the experiments in which they were made.
    var observations: [String] {
        timeline.filter { $0.kind == RunEvent.Kind.observation.rawValue }.map { event in
            let place = event.runID.map { " (\(title(ofRun: $0)))" } ?? ""
            return "\(offset(offsetMs(event.at))) \(event.text)\(place)"
        }
    }

    /// What is worth knowing about the day besides.
    var facts: [(String, String)] {
        var facts = [
            ("GameDay", gameDayID), ("started", startedAt), ("ended", endedAt),
            ("file", definition.file), ("plan", planDigest),
        ]
        if let owner = definition.owner { facts.append(("owner", owner)) }
        if !definition.tags.isEmpty {
            facts.append(("tags", definition.tags.joined(separator: ", ")))
        }
        if let description = definition.description { facts.append(("what for", description)) }
        if let schedule = definition.schedule { facts.append(("schedule", "\(schedule)")) }
        return facts
    }
}

extension GameDayReport.Row {
    /// From when until when it ran, in milliseconds since the day began; nil when it did not.
    func spanMs(in day: GameDayReport) -> (Double, Double)? {
        guard let started = startedAt.flatMap(Timestamp.seconds) else { return nil }
        let ended = endedAt.flatMap(Timestamp.seconds) ?? started
        return (day.offsetMs(started), day.offsetMs(ended))
    }

    /// When it ran, in words.
    func timeInWords(in day: GameDayReport) -> String {
        spanMs(in: day).map { "\(offset($0)) – \(offset($1))" } ?? "–"
    }

    /// How the system came back, in words.
    var recoveryInWords: String {
        recoveredAfterMs.map { "\(Duration.milliseconds($0).spelled) after the rollback" } ?? "–"
    }
}

extension GateRecord {
    /// Every answer with who gave it, when, and for which plan, those included that did not count.
    var answersInWords: [String] {
        answers.map { answer in
            let comment = answer.comment.map { ": \($0)" } ?? ""
            let other = answer.planDigest == gate.planDigest ? "" : ", for another plan"
            return "\(answer.who) \(answer.approves ? "approved" : "rejected") at "
                + "\(Timestamp.iso8601(answer.at))\(other)\(comment)"
        }
    }
}

extension NoticeRecord {
    /// What came of it.
    var outcomeInWords: String {
        let tries = attempts == 1 ? "" : " after \(attempts) attempts"
        return failure.map { "not told\(tries): \($0)" } ?? "told\(tries)"
    }
}
