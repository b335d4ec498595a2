// What follows from a run is made of what was measured in it: other figures make other sentences.

import ChaosGameDay
import ChaosModel
import Testing

@Suite
struct RecommendationTests {
    /// A run in which p99 went from 40 ms to `worst` under a latency of 10 s, and came back after `recovery`.
    private func run(worst: Double, recovery: Double? = 800) -> RunReport {
        var report = RunReport(
            runID: "run",
            definition: RunReport.Definition(ExperimentDefinition(name: "slow db", file: "x.lua")),
            seed: 1,
            startedAt: "2026-11-25T08:30:00.000Z",
            startedAtSeconds: 1_795_595_400
        )
        report.verdict = .deviated
        report.exitCode = ExitCode.deviated.rawValue
        var metric = RunReport.MetricReport(
            MetricDefinition(
                name: "p99",
                source: "http",
                options: [:],
                unit: .seconds,
                healthy: .below(0.3)
            )
        )
        metric.before.mean = 0.04
        metric.firstViolationMs = 7000
        metric.samples = [
            RunReport.Point(atMs: 1000, value: 0.04, note: nil),
            RunReport.Point(atMs: 7000, value: worst, note: nil),
            RunReport.Point(atMs: 16_000, value: 0.05, note: nil),
        ]
        report.metrics = [metric]
        report.faults = [latency]
        report.phases = [RunReport.PhaseRecord(phase: .postValidation, startedMs: 15_000)]
        report.recoveredAfterMs = recovery
        return report
    }

    private var latency: RunReport.FaultReport {
        var fault = RunReport.FaultReport(
            LeaseRecord(
                lease: LeaseID("1"),
                target: .host,
                heldBy: .kernel,
                engine: nil,
                effect: Effect("x")
            ),
            of: FaultSpec(
                fault: "network.latency",
                target: TargetSelector(kind: .host, options: [:]),
                options: ["delay": "100ms"]
            ),
            injectedMs: 5000,
            injectedAt: "x"
        )
        fault.revertedMs = 15_000
        return fault
    }

    @Test
    func `the finding names metric, distance, fault, delay and recovery`() throws {
        let item = try #require(Recommendation.all(from: run(worst: 0.325)).first)
        #expect(item.metric == "p99" && item.experiment == "slow db")
        #expect(
            item.finding
                == "p99 went from 40ms to 325ms at worst, its threshold is below 300ms (8% beyond); "
                + "it left it 2s after network.latency (delay = \"100ms\") began on host; "
                + "it was back 800ms after the rollback"
        )
        #expect(item.advice.contains("misses by 8%") && item.advice.contains("headroom"))
    }

    @Test
    func `other figures lead to other advice`() {
        func advice(_ report: RunReport) -> String {
            Recommendation.all(from: report).map(\.advice).joined()
        }
        #expect(advice(run(worst: 2.4)).contains("misses by 700%: bound the wait"))
        let slowly = advice(run(worst: 0.325, recovery: 9000))
        #expect(slowly.contains("shorten the way back: p99 needed 9s"))
        #expect(advice(run(worst: 0.325, recovery: nil)).contains("needs a person"))
        #expect(Set([0.325, 2.4].map { advice(run(worst: $0)) }).count == 2)
    }

    @Test
    func `a value without bounds is told, not counted`() throws {
        let item = try #require(Recommendation.all(from: run(worst: .infinity)).first)
        #expect(item.finding.contains("more than a million times beyond"))
    }

    @Test
    func `a baseline that was not healthy is not blamed on a fault`() throws {
        var report = run(worst: 0.4)
        report.faults = []
        report.phases = []
        report.recoveredAfterMs = nil
        report.exitCode = ExitCode.baseline.rawValue
        let item = try #require(Recommendation.all(from: report).first)
        #expect(item.finding.hasSuffix("no fault had been made"))
        #expect(item.advice.contains("until then the experiment says nothing"))
    }

    @Test
    func `a check that did not hold is advised on with its own values`() throws {
        var report = run(worst: 0.1)
        report.metrics[0].firstViolationMs = nil
        report.checks = [
            RunReport.CheckReport(
                condition: "p99 < 90ms",
                held: false,
                values: ["p99": 0.1],
                atMs: 7500,
                location: nil
            )
        ]
        let item = try #require(Recommendation.all(from: report).first)
        #expect(item.metric == "p99 < 90ms")
        #expect(
            item.finding
                == "p99 was 100ms, 2.5s after network.latency (delay = \"100ms\") began on host"
        )
    }

    @Test
    func `a metric that fails only after the rollback is advised on`() throws {
        var report = run(worst: 0.1, recovery: nil)
        report.metrics[0].firstViolationMs = nil
        report.metrics[0].samples.append(RunReport.Point(atMs: 30_000, value: 0.9, note: nil))
        let item = try #require(Recommendation.all(from: report).first)
        #expect(item.finding.contains("p99 was 900ms at the end of the time for recovery"))
    }

    @Test
    func `a run that held needs no advice`() {
        var report = run(worst: 0.1)
        report.metrics[0].firstViolationMs = nil
        report.verdict = .held
        #expect(Recommendation.all(from: report).isEmpty)
    }
}
