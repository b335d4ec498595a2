// docs/report.md is the contract of the report's keys.

import ChaosModel
import Testing

@Suite
struct `Keys of the report` {
    /// A report in which nothing is left out.
    private static let whole: RunReport = {
        let definition = ExperimentDefinition(name: "x", file: "x.lua")
        var report = RunReport(
            runID: "20261125-083000-1f0c9a",
            definition: RunReport.Definition(definition),
            seed: 1,
            startedAt: "2026-11-25T08:30:00.000Z",
            startedAtSeconds: 1
        )
        report.worstAbortLagMs = 1
        report.recoveredAfterMs = 1
        report.abort = RunReport.AbortReport(reason: "x", atMs: 1, tookMs: 1)
        report.error = RunReport.ErrorReport(message: "x")
        return report
    }()

    /// The keys of a value as it is written.
    private static func keys(of value: some Encodable) throws -> Set<String> {
        let line = try WireJSON.line(value)
        guard case .table(let fields) = try WireJSON.value(ParameterValue.self, from: line) else {
            return []
        }
        return Set(fields.keys)
    }

    @Test
    func `every top-level key is in the table, and no other`() throws {
        let keys = try Self.keys(of: Self.whole)
        #expect(keys.count == Mirror(reflecting: Self.whole).children.count, "none is left out")
        let section = try #require(Document("docs/report.md").section("## Keys"))
        let end = section.firstRange(of: "\n### ")?.lowerBound ?? section.endIndex
        #expect(Set(firstColumn(of: String(section[..<end]))) == keys)
    }

    @Test
    func `the keys of a metric are in its table`() throws {
        let threshold = Threshold.below(1)
        var metric = RunReport.MetricReport(
            MetricDefinition(
                name: "x",
                source: "http",
                options: [:],
                unit: .share,
                healthy: threshold,
                tolerated: threshold
            )
        )
        metric.firstViolationMs = 1
        let section = try #require(Document("docs/report.md").section("### metrics"))
        #expect(Set(firstColumn(of: section)) == (try Self.keys(of: metric)))
    }

    @Test
    func `the keys of a comparison are in its table`() throws {
        var comparison = RunReport.Comparison(
            kind: .controlDuring,
            metric: "x",
            control: "y",
            unit: .share
        )
        comparison.method = "exact"
        (comparison.u, comparison.pValue, comparison.cliffsDelta) = (1, 1, 1)
        (comparison.shift, comparison.shiftLow, comparison.shiftHigh) = (1, 1, 1)
        let section = try #require(Document("docs/report.md").section("### statistics"))
        #expect(Set(firstColumn(of: section)) == (try Self.keys(of: comparison)))
    }

    @Test
    func `the keys of a fault are in its table`() throws {
        let effect = Effect("x", hit: true)
        let lease = LeaseRecord(
            lease: LeaseID("1"),
            target: .host,
            heldBy: .kernel,
            engine: "nft",
            effect: effect
        )
        let spec = FaultSpec(
            fault: "noop",
            target: TargetSelector(kind: .host, options: [:]),
            options: [:]
        )
        var fault = RunReport.FaultReport(lease, of: spec, injectedMs: 1, injectedAt: "x")
        fault.measured = effect
        fault.revertedMs = 1
        fault.revertedAt = "x"
        fault.outcome = .reverted
        fault.seen = "x"
        fault.revertTookMs = 1
        fault.endedEarly = RunReport.EarlyEnd(atMs: 1, seen: "x")
        let section = try #require(Document("docs/report.md").section("### faults"))
        #expect(Set(firstColumn(of: section)) == (try Self.keys(of: fault)))
    }
}
