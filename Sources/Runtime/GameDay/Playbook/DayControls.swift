// What the body of a GameDay may do, be it a script's function or the plain list of experiments.

package import ChaosModel

/// Why a day does not go on.
package struct DayHalt: Error, Sendable, Hashable, CustomStringConvertible {
    /// Why, in a sentence.
    package var reason: String
    /// The exit code that follows from it, where no experiment's own outranks it.
    package var code: ExitCode

    /// Makes a halt.
    package init(_ reason: String, code: ExitCode = .aborted) {
        self.reason = reason
        self.code = code
    }

    package var description: String { reason }
}

extension DayHalt {
    /// What an experiment that was aborted, or leaked, makes of the day; nil for all others.
    init?(after row: GameDayReport.Row) {
        guard row.outcome.haltsTheDay else { return nil }
        self.init(
            "experiment \"\(row.title)\" \(row.outcome.rawValue): \(row.reason)",
            code: row.outcome == .leaked ? .leaked : .aborted
        )
    }
}

/// What the body of a GameDay may do.
package protocol DayControls: Sendable {
    /// Runs an experiment, after the health check and the gate that the day has before each.
    func experiment(_ reference: ExperimentReference) async throws(DayHalt) -> GameDayReport.Row

    /// Waits.
    func pause(_ span: Duration) async throws(DayHalt)

    /// Asks for approval of something in words.
    func approve(_ subject: String) async throws(DayHalt)

    /// Puts a human observation on the time line.
    func observe(_ text: String) async

    /// Puts a line of the script's own on the time line.
    func log(_ text: String) async
}

/// The body of a GameDay.
package protocol DayBody: Sendable {
    /// Runs to its end, or throws why the day must end early.
    func run(_ day: any DayControls) async throws(DayHalt)

    /// Stops it; `run` must return soon.
    func stop(reason: String)
}

/// The plain list: one experiment after the other, with a pause between.
package struct ListedBody: DayBody {
    let experiments: [ExperimentReference]
    let pause: Duration

    /// Makes the body of a day without a function.
    package init(_ definition: GameDayDefinition) {
        experiments = definition.experiments
        pause = .milliseconds(definition.pauseMs)
    }

    package func run(_ day: any DayControls) async throws(DayHalt) {
        for (index, reference) in experiments.enumerated() {
            if index > 0, pause > .zero { try await day.pause(pause) }
            _ = try await day.experiment(reference)
        }
    }

    package func stop(reason: String) {}
}
