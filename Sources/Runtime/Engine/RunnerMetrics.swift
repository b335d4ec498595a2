// The runner's eyes: sampling, baseline, abort rules, recovery.
//
// Each metric is sampled by a task of its own, so that one that hangs delays no other, and each sample is judged
// the moment it comes, not at the next tick.

import ChaosModel
import ChaosSteadyState

/// A rule that aborts the run when it holds.
struct ArmedRule: Sendable {
    var condition: Condition
    var text: String
}

extension Runner {
    var every: Duration { .milliseconds(max(1, record.experiment.steadyState.everyMs)) }

    /// Makes the sources that are not there yet.
    func prepareSources() throws(DefinitionError) {
        for metric in record.metrics where sources[metric.name] == nil {
            sources[metric.name] = try surroundings.makeSource(metric)
        }
    }

    /// Declares what a plain script watches.
    func watchNow(_ steadyState: SteadyStateDefinition) throws(DefinitionError) {
        record.adopt(steadyState)
        judge = SteadyStateJudge(steadyState.metrics)
        try prepareSources()
    }

    // MARK: Sampling

    /// Begins to sample every metric at the interval.
    private func startSampling() {
        guard !isSampling else { return }
        isSampling = true
        for metric in record.metrics {
            guard let source = sources[metric.name] else { continue }
            samplers.append(Task { await self.sample(metric, from: source) })
        }
    }

    private func sample(_ metric: MetricDefinition, from source: any MetricSource) async {
        await source.start()
        let time = surroundings.time
        var due = time.now
        while !Task.isCancelled {
            let hasData = await take(metric, from: source).value != nil
            // Until a source has its first value, it is asked more often, so that a short warm-up can be enough.
            let pause = hasData ? every : min(every, .milliseconds(50))
            due = max(due.advanced(by: pause), time.now)
            guard (try? await time.sleep(until: due)) != nil else { return }
        }
    }

    /// Samples a metric once and judges it.
    @discardableResult
    func take(_ metric: MetricDefinition, from source: any MetricSource) async -> Sample {
        let at = surroundings.time.now
        let reading = await source.sample()
        let sample =
            switch reading {
            case .value(let value, let note): Sample(at: at, value: value, note: note)
            case .noData(let why): Sample(at: at, value: nil, note: why)
            }
        // One that was cut off by the end of the run says nothing.
        if Task.isCancelled { return sample }
        accept(sample, of: metric)
        return sample
    }

    private func accept(_ sample: Sample, of metric: MetricDefinition) {
        let isFirstData = record.samples[metric.name]?.contains { $0.value != nil } != true
        // A probe that has just begun has nothing to say; that is no sign of ill health.
        if isFirstData, sample.value == nil, machine.phase.isBeforeInjection { return }
        record.samples[metric.name, default: []].append(sample)
        // A sample that was asked for before the faults were off says nothing of the recovery.
        if sample.at >= judgesFrom {
            let changes = judge.judge(sample, of: metric.name)
            for change in changes { tell(change, of: metric) }
        }
        let isHealthy =
            judge.judges.first { $0.definition.name == metric.name }?.health.holds ?? true
        surroundings.observer.sampled(metric, sample, isHealthy: isHealthy)
        if machine.isGuarded { judgeRules(naming: metric.name) }
        releaseSampleWaiters()
    }

    /// Waits for the next sample of any metric, at most until `deadline`.
    func nextSample(by deadline: Instant) async {
        let time = surroundings.time
        let timer = Task {
            guard (try? await time.sleep(until: deadline)) != nil else { return }
            releaseSampleWaiters()
        }
        await withCheckedContinuation { sampleWaiters.append($0) }
        timer.cancel()
    }

    func releaseSampleWaiters() {
        for waiter in sampleWaiters { waiter.resume() }
        sampleWaiters = []
    }

    private func tell(_ change: SteadyStateJudge.Change, of metric: MetricDefinition) {
        switch change.transition {
        case .health(.healthy, _, let reason):
            // That a metric is well is only news after it was not.
            if unhealthy.remove(metric.name) != nil { emit(.health, reason) }
        case .health(_, let since, let reason):
            unhealthy.insert(metric.name)
            noteViolation(of: metric, since: since, reason)
            emit(.health, reason)
        case .breach(_, let reason):
            guard machine.isGuarded else { return }
            stop(
                .rule("abort threshold of \(reason)"),
                by: AbortTrigger(
                    cause: .threshold,
                    rule: "abort threshold of \(metric.name)",
                    metric: metric.name,
                    sample: record.samples[metric.name]?.last
                )
            )
        case .tolerable: break
        }
    }

    /// A violation counts against the hypothesis while faults are on.
    private func noteViolation(of metric: MetricDefinition, since: Instant, _ reason: String) {
        guard machine.hasInjected, machine.phase.isBeforeRollback,
            record.violations[metric.name] == nil
        else { return }
        let offset = record.offset(of: since)
        let place = metric.location.map { " (\($0))" } ?? ""
        record.violations[metric.name] = (
            offset, "\(reason), first at \(Duration.milliseconds(offset).spelled)\(place)"
        )
    }

    // MARK: Rules

    private func judgeRules(naming metric: String) {
        let values = latestValues()
        let units = self.units
        for rule in rules where rule.condition.metrics.contains(metric) {
            guard rule.condition.holds(values, units: units) == true else { continue }
            let shown = rule.condition.metrics.map { name in
                "\(name) is \(values[name].map { (units[name] ?? .number).spelled($0) } ?? "no data")"
            }
            stop(
                .rule("abort_if \(rule.text): \(shown.joined(separator: ", "))"),
                by: AbortTrigger(
                    cause: .abortIf,
                    rule: "abort_if \(rule.text)",
                    metric: metric,
                    sample: record.samples[metric]?.last
                )
            )
            return
        }
    }

    /// The units of the metrics, by name.
    var units: [String: MetricUnit] {
        Dictionary(record.metrics.map { ($0.name, $0.unit) }) { first, _ in first }
    }

    /// The last value of each metric.
    func latestValues() -> [String: Double] {
        record.samples.compactMapValues { $0.last?.value }
    }

    /// Evaluates a rule of the script every interval until the run is over.
    func watch(_ rule: @escaping RuleFunction, named name: String) {
        samplers.append(
            Task {
                var failures = 0
                while !Task.isCancelled {
                    failures = await judge(rule, named: name, failuresBefore: failures)
                    guard (try? await surroundings.time.sleep(for: every)) != nil else { return }
                }
            }
        )
    }

    /// Evaluates a rule once; returns how many times in a row it could not be evaluated.
    private func judge(_ rule: RuleFunction, named name: String, failuresBefore: Int) async -> Int {
        do {
            guard try await rule(), machine.isGuarded else { return 0 }
            stop(
                .rule("abort_if \(name): its function returned true"),
                by: AbortTrigger(cause: .abortIf, rule: "abort_if \(name)")
            )
            return 0
        } catch {
            let failures = failuresBefore + 1
            guard failures >= 2, machine.isGuarded else { return failures }
            stop(
                .rule("abort_if \(name) could not be evaluated twice in a row: \(error)"),
                by: AbortTrigger(cause: .abortIf, rule: "abort_if \(name)")
            )
            return failures
        }
    }

    // MARK: Baseline

    /// Watches every metric through the warm-up; returns which is unhealthy, or nil.
    func checkBaseline() async -> String? {
        startSampling()
        guard !record.metrics.isEmpty else { return nil }
        let time = surroundings.time
        let warmup = Duration.milliseconds(record.experiment.steadyState.warmupMs)
        let warmupEnds = time.now.advanced(by: warmup)
        let lag = record.metrics.map(\.lagMs).max() ?? 0
        let patience = warmup + max(.seconds(5), every * 2) + .milliseconds(lag)
        let lastMoment = time.now.advanced(by: patience)
        while machine.phase == .baseline, machine.stop == nil {
            if let bad = baselineProblem() { return bad }
            let missing = metricsWithoutData()
            if time.now >= warmupEnds, missing.isEmpty { break }
            if time.now >= lastMoment {
                return
                    "the baseline has no data for \(missing.joined(separator: ", ")) after \(patience.spelled)"
            }
            await nextSample(by: time.now < warmupEnds ? warmupEnds : lastMoment)
        }
        record.setOutcome("healthy")
        return nil
    }

    private func baselineProblem() -> String? {
        for judge in judge.judges where judge.health == .unhealthy || judge.health == .noData {
            let metric = judge.definition
            let value =
                record.samples[metric.name]?.last?.value.map(metric.unit.spelled) ?? "no data"
            let wanted = metric.healthy?.spelled(in: metric.unit) ?? "any value"
            return
                "the baseline is not healthy: \(metric.name) is \(value), must be \(wanted); nothing was injected"
        }
        return nil
    }

    private func metricsWithoutData() -> [String] {
        record.metrics.filter { metric in
            guard metric.noData == .unhealthy || metric.noData == .abort else { return false }
            return record.samples[metric.name]?.contains { $0.value != nil } != true
        }
        .map(\.name)
    }

    /// Has the baseline checked if it was not, and waits for it.
    func awaitBaseline() async throws(ControlError) {
        handle(.faultWanted)
        while machine.phase == .baseline, machine.stop == nil {
            await withCheckedContinuation { baselineWaiters.append($0) }
        }
        try checkRunning()
    }

    /// From the first fault on, what was seen before no longer decides.
    func beginDuring() {
        guard record.firstInjectionMs == nil else { return }
        record.firstInjectionMs = offsetNow
        judge.beginPhase()
    }

    // MARK: Recovery

    /// Waits until every metric is healthy again; returns why it is not, or nil.
    func awaitRecovery() async -> String? {
        guard !record.metrics.isEmpty else { return nil }
        let time = surroundings.time
        let limit = Duration.milliseconds(record.experiment.steadyState.recoveryMs)
        let began = time.now
        judgesFrom = began
        judge.beginPhase()
        while machine.phase == .postValidation {
            if judge.isSteady {
                record.recoveredAfterMs = time.now.since(began).inMilliseconds
                record.setOutcome("recovered after \(time.now.since(began).spelled)")
                return nil
            }
            if time.now >= began.advanced(by: limit) { break }
            await nextSample(by: began.advanced(by: limit))
        }
        let bad = judge.unsteady.keys.sorted().joined(separator: ", ")
        record.setOutcome("not recovered")
        return "not back to the steady state \(limit.spelled) after the rollback: \(bad)"
    }
}

extension Phase {
    /// Whether no fault can have been made yet.
    var isBeforeInjection: Bool { self == .initialize || self == .baseline }
}
