// What a body may do, on a real run.

package import ChaosModel

extension Runner: RunControls {
    package func watch(_ steadyState: SteadyStateDefinition) async throws(ControlError) {
        try checkRunning()
        guard machine.phase == .initialize else {
            throw .definition(
                DefinitionError(
                    "steady_state",
                    "must come before the first inject: the baseline is checked by it"
                )
            )
        }
        try ControlError.definition { () throws(DefinitionError) in try watchNow(steadyState) }
        // An agent learns in its greeting what it must leave alone; nothing is in force yet.
        if surroundings.endpointsOfMetrics != nil { await letAgentGo() }
        if let problem = await readLags() { throw .definition(problem) }
    }

    package func inject(_ spec: FaultSpec) async throws(ControlError) -> FaultHandle {
        try checkRunning()
        return try await injectNow(spec)
    }

    package func rollback(_ handle: FaultHandle?) async throws(ControlError) {
        try checkRunning()
        try await revert(handle)
    }

    package func check(
        _ condition: Condition,
        within limit: Duration,
        counts: Bool,
        at location: SourceLocation?
    ) async throws(ControlError) -> CheckResult {
        try checkRunning()
        let units = self.units
        do throws(ParameterProblem) {
            try condition.check(against: units)
        } catch {
            throw .definition(DefinitionError("check_metric", error.text, at: location))
        }
        try await awaitSampling()
        let began = surroundings.time.now
        for name in condition.metrics { await sampleNow(name) }
        var result = judged(condition, since: began)
        while result.held != true, result.took < limit {
            try checkRunning()
            await nextSample(by: began.advanced(by: limit))
            result = judged(condition, since: began)
        }
        var check = CheckRecord(result, of: condition.description, within: limit, at: location)
        check.counts = counts
        note(check, units: units)
        return result
    }

    private func judged(_ condition: Condition, since began: Instant) -> CheckResult {
        let values = latestValues().filter { condition.metrics.contains($0.key) }
        return CheckResult(
            held: condition.holds(values, units: units),
            values: values,
            took: surroundings.time.now.since(began)
        )
    }

    package func check(
        _ metric: MetricDefinition,
        within limit: Duration,
        counts: Bool
    ) async throws(ControlError) -> CheckResult {
        try checkRunning()
        guard let threshold = metric.healthy else {
            let problem = "the metric has no threshold: add below, above, equals, between or one_of"
            throw .definition(DefinitionError("check_metric", problem, at: metric.location))
        }
        let source = try ControlError.definition { () throws(DefinitionError) in
            try surroundings.makeSource(metric)
        }
        await source.start()
        let began = surroundings.time.now
        var result = CheckResult(held: nil, values: [:])
        var reading = await firstReading(of: source)
        while true {
            result.values = [:]
            if case .value(let value, _) = reading { result.values[metric.name] = value }
            result.held = result.values[metric.name].map(threshold.admits)
            result.took = surroundings.time.now.since(began)
            guard result.held != true, result.took < limit, machine.stop == nil,
                (try? await surroundings.time.sleep(for: min(.milliseconds(100), every))) != nil
            else { break }
            reading = await source.sample()
        }
        await source.stop()
        let text = "\(metric.name) \(threshold.spelled(in: metric.unit))"
        var check = CheckRecord(result, of: text, within: limit, at: metric.location)
        check.counts = counts
        note(check, units: [metric.name: metric.unit])
        return result
    }

    package func abort(if condition: Condition, at location: SourceLocation?)
        async throws(ControlError)
    {
        try checkRunning()
        do throws(ParameterProblem) {
            try condition.check(against: units)
        } catch {
            throw .definition(DefinitionError("abort_if", error.text, at: location))
        }
        let place = location.map { " (\($0))" } ?? ""
        rules.append(ArmedRule(condition: condition, text: "\"\(condition)\"\(place)"))
        emit(.rule, "abort_if \"\(condition)\"")
    }

    package func abort(if rule: @escaping RuleFunction, named name: String)
        async throws(ControlError)
    {
        try checkRunning()
        emit(.rule, "abort_if \(name)")
        watch(rule, named: name)
    }

    package func abort(reason: String) async throws(ControlError) {
        handle(.stopped(.scriptAbort(reason)))
        throw .stopped(reason: reason)
    }

    package func wait(_ span: Duration) async throws(ControlError) {
        try checkRunning()
        // Cancelled or not, what follows is decided by whether the run goes on.
        try? await surroundings.time.sleep(for: span)
        try checkRunning()
    }

    package func observe(_ text: String) async { emit(.observation, text) }

    package func log(_ text: String) async { emit(.log, text) }

    /// Throws once the run is being stopped.
    func checkRunning() throws(ControlError) {
        if let stop = machine.stop { throw .stopped(reason: stop.text) }
        guard machine.phase.isBeforeRollback else { throw .stopped(reason: "the run is over") }
    }

    /// Makes sure that the watched metrics have values, for a check before the first fault.
    private func awaitSampling() async throws(ControlError) {
        guard !isSampling, !record.metrics.isEmpty else { return }
        try await awaitBaseline()
    }

    private func sampleNow(_ name: String) async {
        guard let metric = record.metrics.first(where: { $0.name == name }),
            let source = sources[name]
        else { return }
        await take(metric, from: source)
    }

    /// The first value of a source that has just begun, or its last answer when it has none for a while.
    private func firstReading(of source: any MetricSource) async -> Reading {
        let lastMoment = surroundings.time.now.advanced(by: .seconds(10))
        while true {
            let reading = await source.sample()
            if case .value = reading { return reading }
            guard surroundings.time.now < lastMoment, machine.stop == nil,
                (try? await surroundings.time.sleep(for: .milliseconds(20))) != nil
            else { return reading }
        }
    }

    /// Keeps a check that counts, and puts every check on the time line.
    private func note(_ check: CheckRecord, units: [String: MetricUnit]) {
        let (result, limit) = (check.result, check.limit)
        var report = RunReport.CheckReport(
            condition: check.condition,
            held: result.held,
            values: result.values,
            atMs: offsetNow,
            location: check.location
        )
        if limit > .zero {
            report.withinMs = limit.inMilliseconds
            report.tookMs = result.took.inMilliseconds
        }
        if check.counts { record.checks.append(report) }
        let shown = result.values.sorted { $0.key < $1.key }.map { name, value in
            "\(name) is \((units[name] ?? .number).spelled(value))"
        }
        let verdict = result.held.map { $0 ? "held" : "did not hold" } ?? "no data"
        let when = limit > .zero ? " after \(result.took.spelled) of \(limit.spelled)" : ""
        emit(
            .check,
            "\(check.condition): \(verdict)\(when)"
                + (shown.isEmpty ? "" : " (\(shown.joined(separator: ", ")))")
                + (check.counts ? "" : "; this does not count")
        )
    }
}

/// A check that was made.
private struct CheckRecord {
    let result: CheckResult
    let condition: String
    let limit: Duration
    let location: SourceLocation?
    /// Whether it counts for the hypothesis.
    var counts = true

    init(
        _ result: CheckResult,
        of condition: String,
        within limit: Duration,
        at location: SourceLocation?
    ) {
        self.result = result
        self.condition = condition
        self.limit = limit
        self.location = location
    }
}
