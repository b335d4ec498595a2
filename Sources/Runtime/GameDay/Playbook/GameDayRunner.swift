// Runs a GameDay: one experiment at a time, with what the playbook puts between them. Whatever happens to the day, each
// experiment ends as it would alone: its faults are reverted.

package import ChaosModel

/// Runs one GameDay once.
package actor GameDayRunner: DayControls {
    let definition: GameDayDefinition
    let plan: DayPlan
    let surroundings: DaySurroundings
    private let body: any DayBody

    private(set) var report: GameDayReport
    private var halt: DayHalt?
    /// What the day waits for or runs; a halt ends it.
    private var current: (any CurrentStep)?
    /// Rows of a day that was cut off, which need not run again.
    private var remembered: [GameDayReport.Row]
    private var approved: Set<String>

    /// Makes a day.
    ///
    /// - Parameters:
    ///   - definition: What to run.
    ///   - plan: Its experiments as they are now.
    ///   - body: What drives it.
    ///   - id: The day's name.
    ///   - earlier: The state of the same day before it was cut off; nil to begin anew.
    ///   - surroundings: What it needs of the world.
    package init(
        _ definition: GameDayDefinition,
        plan: DayPlan,
        body: any DayBody,
        id: String,
        resuming earlier: GameDayReport? = nil,
        surroundings: DaySurroundings
    ) {
        self.definition = definition
        self.plan = plan
        self.body = body
        self.surroundings = surroundings
        let now = surroundings.time.secondsSince1970
        report =
            earlier
            ?? GameDayReport(
                gameDayID: id,
                definition: definition.masked,
                planDigest: plan.digest,
                startedAt: Timestamp.iso8601(now)
            )
        remembered = earlier?.experiments ?? []
        approved = Set(
            (earlier?.gates ?? []).filter { $0.outcome == "approved" }.map(\.gate.subject)
        )
        report.experiments = []
    }

    /// Runs to the end; always returns a report.
    package func run() async -> GameDayReport {
        let isResumed = !report.timeline.isEmpty
        note(
            "day",
            isResumed
                ? "the GameDay goes on after \(remembered.count) experiments" : "the GameDay begins"
        )
        await tell(.starting, isResumed ? "goes on" : "begins: \(plan.entries.count) experiments")
        save()
        do throws(DayHalt) {
            if definition.approval?.scope == .day {
                try await approve("the GameDay \"\(definition.name)\"")
            }
            try await body.run(self)
        } catch {
            halt(error)
        }
        return await finish()
    }

    /// Ends the day: what runs is stopped and reverted, the rest is skipped.
    package func stop(_ reason: String, code: ExitCode = .interrupted) async {
        halt(DayHalt(reason, code: code))
        body.stop(reason: reason)
        await current?.stop(reason)
    }

    /// Whether something is going on that a stop would end.
    package var isWaiting: Bool { current != nil }

    // MARK: Controls

    package func experiment(
        _ reference: ExperimentReference
    ) async throws(DayHalt) -> GameDayReport.Row {
        try checkGoing()
        if let row = try remember(reference) { return row }
        let run = try await ready(reference)
        if let health = surroundings.health { try await checkHealth(health, before: run.title) }
        if definition.approval?.scope == .each { try await approve("experiment \"\(run.title)\"") }
        try await refuseChange(of: reference)
        return try await perform(run, reference)
    }

    package func pause(_ span: Duration) async throws(DayHalt) {
        try checkGoing()
        // What is remembered was waited for before the day was cut off.
        guard remembered.isEmpty else { return }
        let time = surroundings.time
        show("pause", until: time.secondsSince1970 + span.inSeconds)
        let sleep = Task { try? await time.sleep(for: span) }
        current = WaitingStep { sleep.cancel() }
        await sleep.value
        current = nil
        try checkGoing()
    }

    package func observe(_ text: String) {
        note("observation", text)
    }

    package func log(_ text: String) {
        note("log", text)
    }

    package func approve(_ subject: String) async throws(DayHalt) {
        try checkGoing()
        let subject = surroundings.redactor.mask(subject)
        guard !approved.contains(subject) else { return }
        let rule = definition.approval ?? ApprovalRule(scope: .day)
        let now = surroundings.time.secondsSince1970
        let gate = Gate(
            id: "\(report.gameDayID)-gate\(report.gates.count + 1)",
            gameDay: surroundings.redactor.mask(definition.name),
            subject: subject,
            planDigest: plan.digest,
            approvers: rule.approvers,
            openedAt: now,
            expiresAt: now + rule.timeoutMs / 1000
        )
        note(
            "gate",
            "\(subject) waits for \(rule.approvers) approval(s): moonquake approve \(gate.id)"
        )
        await tell(
            .gate,
            "\(subject) waits for approval: moonquake approve \(gate.id) (plan \(plan.digest))"
        )
        show("gate \(gate.id): \(subject)", until: gate.expiresAt)
        let record = await decide(gate)
        report.gates.append(record)
        note("gate", record.sentence)
        save()
        try checkGoing()
        guard record.outcome == "approved" else { throw DayHalt(record.sentence) }
    }

    // MARK: Steps of an experiment

    private func ready(_ reference: ExperimentReference) async throws(DayHalt) -> any ExperimentRun
    {
        do throws(DefinitionError) {
            return try await surroundings.experiments.prepare(reference)
        } catch {
            throw DayHalt("\(reference) cannot run: \(error)", code: .definition)
        }
    }

    private func checkHealth(_ health: any HealthCheck, before title: String) async throws(DayHalt)
    {
        let time = surroundings.time
        let limit = Duration.milliseconds(definition.recoveryMs)
        show("health before \"\(title)\"", until: time.secondsSince1970 + limit.inSeconds)
        let began = time.now
        let check = Task { await health.awaitHealthy(within: limit) }
        current = WaitingStep { check.cancel() }
        let problem = await check.value
        current = nil
        try checkGoing()
        if let problem { throw DayHalt("not healthy before \"\(title)\": \(problem)") }
        note("health", "healthy after \(time.now.since(began).spelled), before \"\(title)\"")
    }

    /// What was approved is what runs: a definition that is not the one that was looked at is refused.
    private func refuseChange(of reference: ExperimentReference) async throws(DayHalt) {
        let found: (title: String, digest: String)
        do throws(DefinitionError) {
            found = try await surroundings.experiments.look(at: reference)
        } catch {
            throw DayHalt("\(reference) cannot run: \(error)", code: .definition)
        }
        guard let planned = plan.entry(of: reference) else {
            throw DayHalt(
                "\(reference) is not in the experiments of this GameDay: list it there, so that it is "
                    + "part of what is approved",
                code: .definition
            )
        }
        guard planned.digest == found.digest else {
            throw DayHalt(
                "\(reference) has changed since the day began (\(planned.digest) then, \(found.digest) now): "
                    + "what was planned is not what would run",
                code: .definition
            )
        }
    }

    private func perform(
        _ run: any ExperimentRun,
        _ reference: ExperimentReference
    ) async throws(DayHalt) -> GameDayReport.Row {
        let place = "\(report.experiments.count + 1) of \(plan.entries.count)"
        let next = waiting(besides: reference).first.map { ", next \"\($0)\"" } ?? ""
        note("day", "experiment \"\(run.title)\" begins (\(place)\(next))")
        show("experiment \"\(run.title)\"", until: nil)
        current = RunningStep(run: run)
        let result = await run.run()
        current = nil
        let row = GameDayReport.Row(
            reference,
            of: result,
            reportFile: surroundings.experiments.reportFile(of: result)
        )
        report.experiments.append(row)
        report.timeline += result.timeline.map {
            GameDayReport.Event(
                at: $0.at,
                runID: result.runID,
                kind: $0.kind.rawValue,
                text: $0.text
            )
        }
        report.recommendations += Recommendation.all(from: result)
        note(
            "day",
            "experiment \"\(run.title)\": \(row.outcome.rawValue)"
                + (row.reason.isEmpty ? "" : ": \(row.reason)")
        )
        save()
        try checkGoing()
        if row.outcome.haltsTheDay {
            await tell(
                .aborted,
                "experiment \"\(run.title)\" \(row.outcome.rawValue): \(row.reason)"
            )
            let code: ExitCode = row.outcome == .leaked ? .leaked : .aborted
            throw DayHalt(
                "experiment \"\(run.title)\" \(row.outcome.rawValue): \(row.reason)",
                code: code
            )
        }
        return row
    }

    /// The row of an experiment that ended before the day was cut off.
    private func remember(
        _ reference: ExperimentReference
    ) throws(DayHalt) -> GameDayReport.Row? {
        guard var row = remembered.first else { return nil }
        guard row.reference == reference.masked(by: surroundings.redactor) else {
            throw DayHalt(
                "the day cannot go on: \(row.reference) ran at this place before, \(reference) is there now",
                code: .definition
            )
        }
        remembered.removeFirst()
        row.reference = reference
        report.experiments.append(row)
        return row
    }

    private func decide(_ gate: Gate) async -> GateRecord {
        let decision = GateDecision(
            gate,
            approvals: surroundings.approvals,
            time: surroundings.time
        )
        let task = Task { await decision.record() }
        current = WaitingStep { task.cancel() }
        let record = await task.value
        current = nil
        if record.outcome == "approved" { approved.insert(gate.subject) }
        return record
    }

    // MARK: End

    private func halt(_ reason: DayHalt) {
        guard halt == nil else { return }
        halt = reason
        note("day", "halted: \(reason.reason)")
    }

    private func checkGoing() throws(DayHalt) {
        if let halt { throw halt }
    }

    private func finish() async -> GameDayReport {
        skipTheRest()
        let end = DayOutcome(report.experiments, halt: halt)
        report.status = halt == nil ? .completed : .halted
        report.passed = end.passed
        report.exitCode = end.exitCode.rawValue
        report.reasons = end.reasons
        report.endedAt = Timestamp.iso8601(surroundings.time.secondsSince1970)
        note("day", end.passed ? "the GameDay passed" : "the GameDay did not pass")
        save()
        await tell(
            .ended,
            end.passed ? "passed" : "did not pass: \(end.reasons.joined(separator: "; "))"
        )
        report.notifications += await surroundings.notifications.settle(within: .seconds(40))
        save()
        return report.masked(by: surroundings.redactor)
    }

    /// A body decides what it runs; what is listed and never had its turn is skipped.
    private func skipTheRest() {
        let reason = halt?.reason ?? "the GameDay's function did not run it"
        for entry in plan.entries
        where !report.experiments.contains(where: { $0.reference == entry.reference }) {
            report.experiments.append(
                GameDayReport.Row(
                    entry.reference,
                    title: entry.title,
                    outcome: .skipped,
                    reason: reason
                )
            )
        }
    }

    // MARK: Telling

    private func note(_ kind: String, _ text: String) {
        let event = GameDayReport.Event(
            at: surroundings.time.secondsSince1970,
            kind: kind,
            text: surroundings.redactor.mask(text)
        )
        report.timeline.append(event)
        surroundings.observer.happened(event)
    }

    private func show(_ activity: String, until: Double?) {
        let place = DayPlace(
            surroundings.redactor.mask(activity),
            done: report.experiments.count,
            count: plan.entries.count,
            next: waiting().map(surroundings.redactor.mask)
        )
        surroundings.observer.now(place, until: until)
    }

    /// The titles of those that have not had their turn, in the order in which the GameDay lists them.
    private func waiting(besides current: ExperimentReference? = nil) -> [String] {
        let had = Set(report.experiments.map(\.reference))
        return plan.entries.filter { !had.contains($0.reference) && $0.reference != current }
            .map(\.title)
    }

    private func tell(_ kind: Notice.Kind, _ text: String) async {
        await surroundings.notifications.tell(
            Notice(
                kind: kind,
                gameDay: surroundings.redactor.mask(definition.name),
                id: report.gameDayID,
                text: surroundings.redactor.mask("GameDay \"\(definition.name)\": \(text)"),
                at: surroundings.time.secondsSince1970
            )
        )
    }

    /// A day whose state cannot be stored goes on: it says so, and could not be resumed.
    private func save() {
        do throws(KernelError) {
            try surroundings.store.save(report.masked(by: surroundings.redactor))
        } catch {
            note(
                "day",
                "the state of the day could not be stored, so that it cannot be resumed: \(error)"
            )
        }
    }
}
