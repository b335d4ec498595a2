import ChaosModel
import ChaosSteadyState
import Testing

@Suite
struct `The judge of a metric` {
    private func metric(
        failures: Int = 1,
        forAtLeast: Double = 0,
        noData: NoDataRule = .unhealthy
    ) -> MetricDefinition {
        MetricDefinition(
            name: "p99",
            source: "http",
            options: [:],
            unit: .seconds,
            healthy: .below(0.3),
            tolerated: .between(-.infinity, 2),
            failures: failures,
            forAtLeastMs: forAtLeast,
            noData: noData
        )
    }

    /// Judges one value a second; nil is no data.
    private func judge(
        _ values: [Double?],
        _ metric: MetricDefinition
    ) -> (MetricJudge, [[MetricTransition]]) {
        var judge = MetricJudge(metric)
        var changes: [[MetricTransition]] = []
        for (index, value) in values.enumerated() {
            let note = value == nil ? "time-out" : nil
            changes.append(judge.judge(Sample(at: at(index), value: value, note: note)))
        }
        return (judge, changes)
    }

    private func at(_ seconds: Int) -> Instant {
        Instant(nanoseconds: Int64(seconds) * 1_000_000_000)
    }

    @Test
    func `health follows the samples and is told once`() {
        let (judge, changes) = judge([0.1, 0.1, 0.5, 0.5, 0.5, 0.1], metric())
        #expect(changes[0] == [.health(.healthy, since: at(0), reason: "p99 is 100ms")])
        #expect(changes[1] == [])
        let reason = "p99 is 500ms, must be below 300ms"
        #expect(changes[2] == [.health(.unhealthy, since: at(2), reason: reason)])
        #expect(changes[3] == [])
        #expect(changes[5] == [.health(.healthy, since: at(5), reason: "p99 is 100ms")])
        #expect(judge.firstViolation == at(2))
        #expect(judge.violations == 3)
    }

    @Test
    func `sixty violating samples are one message and all in the count`() {
        let (judge, changes) = judge(Array(repeating: 0.5, count: 60), metric())
        #expect(changes.flatMap(\.self).count == 1)
        #expect(judge.violations == 60)
    }

    @Test
    func `a blip does not count when three failures are asked for`() {
        let (blip, _) = judge([0.1, 0.5, 0.5, 0.1, 0.5, 0.1], metric(failures: 3))
        #expect(blip.health == .healthy)
        #expect(blip.firstViolation == nil)
        let (real, changes) = judge([0.1, 0.5, 0.5, 0.5], metric(failures: 3))
        #expect(real.health == .unhealthy)
        #expect(real.firstViolation == at(1))
        let reason = "p99 is 500ms, must be below 300ms, 3 samples in a row"
        #expect(changes[3] == [.health(.unhealthy, since: at(1), reason: reason)])
    }

    @Test
    func `a violation must last for_at_least`() {
        let (short, _) = judge([0.5, 0.5, 0.5, 0.5, 0.5], metric(forAtLeast: 5000))
        #expect(short.health == .unknown)
        let (long, _) = judge([0.5, 0.5, 0.5, 0.5, 0.5, 0.5], metric(forAtLeast: 5000))
        #expect(long.health == .unhealthy)
        #expect(long.firstViolation == at(0))
    }

    @Test
    func `the abort threshold is apart from the hypothesis and as patient`() {
        let (hurt, _) = judge([0.5, 1.9, 2.0], metric())
        #expect(hurt.health == .unhealthy)
        #expect(!hurt.isBreached)
        let (broken, changes) = judge([3, 0.1, 3, 3, 3, 3, 0.1], metric(failures: 3))
        let reason = "p99 is 3s, tolerated is at most 2s, 3 samples in a row"
        #expect(changes[4].contains(.breach(since: at(2), reason: reason)))
        #expect(changes[5] == [])
        #expect(changes[6].contains(.tolerable))
        #expect(broken.firstBreach == at(2))
    }

    @Test
    func `no data is unhealthy unless said otherwise`() {
        let (strict, changes) = judge([0.1, nil], metric())
        #expect(strict.health == .noData)
        let reason = "p99 has no data (time-out)"
        #expect(changes[1] == [.health(.noData, since: at(1), reason: reason)])
        #expect(judge([0.1, nil], metric(noData: .healthy)).0.health == .healthy)
        #expect(judge([nil], metric(noData: .ignore)).0.health == .unknown)
        let (kept, _) = judge([0.5, nil, 0.5], metric(failures: 2, noData: .ignore))
        #expect(kept.health == .unhealthy)
    }

    @Test
    func `no data aborts when it is told to, as patiently`() {
        let (once, _) = judge([0.1, nil], metric(failures: 2, noData: .abort))
        #expect(!once.isBreached)
        let (twice, changes) = judge([0.1, nil, nil], metric(failures: 2, noData: .abort))
        #expect(twice.isBreached)
        let reason = "p99 has no data (time-out), and no_data is \"abort\", 2 samples in a row"
        #expect(changes[2].contains(.breach(since: at(1), reason: reason)))
    }

    @Test
    func `NaN is no data and infinities compare as such`() {
        #expect(judge([.nan], metric()).0.health == .noData)
        #expect(judge([.infinity], metric()).0.isBreached)
        #expect(judge([-.infinity], metric()).0.health == .healthy)
    }

    @Test
    func `a bad value and no value by turns are told once`() {
        let (judge, changes) = judge([0.1, nil, 0.5, nil, 0.5], metric())
        #expect(changes.flatMap(\.self).count == 2)
        #expect(judge.health == .unhealthy)
    }

    @Test
    func `a metric without threshold is only observed`() {
        var plain = metric()
        plain.healthy = nil
        plain.tolerated = nil
        #expect(judge([9, 99], plain).0.health == .healthy)
    }

    @Test
    func `a new phase forgets what is under way and keeps what has been`() {
        var (judge, _) = judge([0.5, 3], metric())
        judge.beginPhase()
        #expect(judge.health == .unknown)
        #expect(!judge.isBreached)
        #expect(judge.firstViolation == at(0))
        #expect(judge.firstBreach == at(1))
    }

    @Test
    func `all metrics together are steady when each is`() {
        var other = metric(noData: .ignore)
        other.name = "errors"
        var judge = SteadyStateJudge([metric(), other])
        #expect(!judge.isSteady)
        _ = judge.judge(Sample(at: at(0), value: 0.1), of: "p99")
        _ = judge.judge(Sample(at: at(0), value: nil), of: "errors")
        #expect(judge.isSteady)
        let changes = judge.judge(Sample(at: at(1), value: 4), of: "errors")
        #expect(changes.count == 2)
        #expect(judge.unsteady == ["errors": .unhealthy])
        #expect(judge.breached == ["errors"])
        #expect(judge.firstViolation?.metric == "errors")
        #expect(judge.judge(Sample(at: at(1), value: 4), of: "nobody") == [])
    }
}

@Suite
struct `The summary of a series` {
    private func summary(_ values: [Double?]) -> MetricSummary {
        MetricSummary(values.map { Sample(at: Instant(nanoseconds: 0), value: $0) })
    }

    @Test
    func `figures of a hundred values`() {
        let summary = summary((1...100).reversed().map { Double($0) })
        #expect(summary.count == 100)
        #expect(summary.min == 1)
        #expect(summary.max == 100)
        #expect(summary.p50 == 50)
        #expect(summary.p95 == 95)
        #expect(summary.p99 == 99)
        #expect(abs((summary.mean ?? 0) - 50.5) < 1e-9)
    }

    @Test
    func `no data is counted apart`() {
        let summary = summary([1, nil, .nan, 3])
        #expect(summary.count == 2)
        #expect(summary.noDataCount == 2)
        #expect(summary.mean == 2)
        #expect(self.summary([nil]).p99 == nil)
        #expect(self.summary([]).mean == nil)
    }

    @Test
    func `extremes stay what they are`() {
        #expect(summary([1, .infinity]).mean == .infinity)
        #expect(summary([1, .infinity]).p99 == .infinity)
        #expect(summary([-.infinity, 1]).mean == -.infinity)
        #expect(summary([-.infinity, .infinity]).mean?.isNaN == true)
        let huge = Double.greatestFiniteMagnitude
        #expect(summary([huge, huge]).mean == huge)
    }

    @Test
    func `it survives the wire`() throws {
        let before = summary([1, 2, .infinity, nil])
        let line = try WireJSON.line(before)
        #expect(try WireJSON.value(MetricSummary.self, from: line) == before)
        #expect(line.contains("\"no_data_count\":1"))
    }
}
