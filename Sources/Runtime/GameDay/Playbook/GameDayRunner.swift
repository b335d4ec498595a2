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
    /// The experiment that runs, while nobody is told that it is aborted.
    private var tellsAbortOf: ExperimentReference?
    /// What was approved before the day was cut off; each counts once more.
    private var approved: [String]

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
        approved = (earlier?.gates ?? []).filter { $0.outcome == "approved" }.map(\.gate.subject)
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
        _ name: ExperimentReference
    ) async throws(DayHalt) -> GameDayReport.Row {
        try checkGoing()
        let reference = plan.meant(by: name)
        if let row = try remember(reference) { return row }
        let run = try await ready(reference)
        if let health = surroundings.health { try await checkHealth(health, before: run.title) }
        if definition.approval?.scope == .each { try await approve("experiment \"\(run.title)\"") }
        try await refuseChange(of: reference)
        try checkGoing()
        return try await perform(run, reference)
    }

    package func pause(_ span: Duration) async throws(DayHalt) {
        try checkGoing()
        // What is remembered was waited for before the day was cut off.
        guard remembered.isEmpty else { return }
        let time = surroundings.time
        show("pause", until: time.secondsSince1970 + span.inSeconds)
        _ = await wait { try? await time.sleep(for: span) }
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
        if let index = approved.firstIndex(of: subject) {
            approved.remove(at: index)
            return
        }
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
            return try await surroundings.experiments.prepare(reference) { reason in
                Task { await self.tellAbort(of: reference, reason) }
            }
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
        let problem = await wait { await health.awaitHealthy(within: limit) }
        try checkGoing()
        if let problem { throw DayHalt("not healthy before \"\(title)\": \(problem)") }
        note("health", "healthy after \(time.now.since(began).spelled), before \"\(title)\"")
    }

    /// What was approved is what runs: a definition that is not the one that was looked at is refused.
    private func refuseChange(of reference: ExperimentReference) async throws(DayHalt) {
        let (found, day): ((title: String, digest: String), String)
        do throws(DefinitionError) {
            found = try await surroundings.experiments.look(at: reference)
            day = try await surroundings.experiments.digestOfDay()
        } catch {
            throw DayHalt("\(reference) cannot run: \(error)", code: .definition)
        }
        guard day == definition.digest else {
            throw changed("the GameDay", definition.digest, day)
        }
        guard let planned = plan.entry(of: reference) else {
            throw DayHalt(
                "\(reference) is not in the experiments of this GameDay: list it there, so that it is "
                    + "part of what is approved",
                code: .definition
            )
        }
        guard planned.digest == found.digest else {
            throw changed("\(reference)", planned.digest, found.digest)
        }
    }

    private func changed(_ what: String, _ then: String, _ now: String) -> DayHalt {
        DayHalt(
            "\(what) has changed since the day began (\(then) then, \(now) now): "
                + "what was planned is not what would run",
            code: .definition
        )
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
        tellsAbortOf = reference
        let result = await run.run()
        current = nil
        let row = GameDayReport.Row(
            reference,
            of: result,
            reportFile: surroundings.experiments.reportFile(of: result)
        )
        report.experiments.append(row)
        report.add(result.timeline, of: result.runID)
        report.recommendations += Recommendation.all(from: result)
        note(
            "day",
            "experiment \"\(run.title)\": \(row.outcome.rawValue)"
                + (row.reason.isEmpty ? "" : ": \(row.reason)")
        )
        save()
        let end = DayHalt(after: row)
        let isTold = tellsAbortOf == nil
        tellsAbortOf = nil
        if let end, !isTold || row.outcome == .leaked { await tell(.aborted, end.reason) }
        try checkGoing()
        if let end { throw end }
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
        if let end = DayHalt(after: row) { throw end }
        return row
    }

    /// Tells of an abort as it begins, unless its run has ended by now.
    private func tellAbort(of reference: ExperimentReference, _ reason: String) async {
        guard let tellsAbortOf, tellsAbortOf == reference else { return }
        self.tellsAbortOf = nil
        let title = plan.entry(of: reference)?.title ?? "\(reference)"
        await tell(.aborted, "experiment \"\(title)\" is being aborted: \(reason)")
    }

    private func decide(_ gate: Gate) async -> GateRecord {
        let decision = GateDecision(
            gate,
            approvals: surroundings.approvals,
            time: surroundings.time
        )
        return await wait { await decision.record() }
    }

    /// Waits for something that a stop ends, also one that has come before it begins.
    private func wait<Result: Sendable>(
        for work: @escaping @Sendable () async -> Result
    ) async -> Result {
        let task = Task { await work() }
        current = WaitingStep { task.cancel() }
        defer { current = nil }
        if halt != nil { task.cancel() }
        return await task.value
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
        // A day that goes on may end before it comes to all that had run.
        report.experiments += remembered
        remembered = []
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
        let redactor = surroundings.redactor
        let ran = Set(report.experiments.map { $0.reference.masked(by: redactor) })
        for entry in plan.entries where !ran.contains(entry.reference.masked(by: redactor)) {
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
        var whole = report
        whole.experiments += remembered
        do throws(KernelError) {
            try surroundings.store.save(whole.masked(by: surroundings.redactor))
        } catch {
            note(
                "day",
                "the state of the day could not be stored, so that it cannot be resumed: \(error)"
            )
        }
    }
}
