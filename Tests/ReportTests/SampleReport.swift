// Reports to be shown: a run with everything in it, and the same with texts that are made to hurt.

import ChaosModel

/// Reports for the tests.
enum SampleReport {
    /// Texts that do harm where they are not escaped.
    static let hostile = [
        "<script>document.title='owned'</script>", "\"><img src=x onerror=alert(1)>",
        "../../../etc/passwd", "a\nb\r\n# heading\n| cell | cell |", "\u{1b}[31mred\u{1b}[0m",
        "]]> & <!-- -->", "'\"\u{338}", "\u{202e}txt.exe", "\u{0}\u{fffe}",
        "[link](javascript:alert(1)) ![x](http://127.0.0.1:9/x.png) `code` *bold* http://example.test",
        String(repeating: "x", count: 300), "</title></style></svg></body>",
    ]

    /// A run in which p95 deviated for a while, `name` being what an outsider can write.
    static func make(_ name: String = "the shop survives a slow cache") -> RunReport {
        var experiment = ExperimentDefinition(
            name: name,
            owner: name,
            description: name,
            hypothesis: name,
            tags: [name],
            file: name,
            digest: "sha256:0123",
            parameters: ["delay": .string(name)]
        )
        experiment.hasBody = true
        var report = RunReport(
            runID: "20261125-083000-1f0c9a",
            definition: RunReport.Definition(experiment),
            seed: 42,
            startedAt: "2026-11-25T08:30:00.000Z",
            startedAtSeconds: 1_795_595_400
        )
        report.endedAt = "2026-11-25T08:30:24.000Z"
        report.verdict = .deviated
        report.exitCode = 1
        report.reasons = ["p95 is 412ms, must be below 300ms, first at 9.5s (\(name):12)", name]
        report.phases = phases
        report.targets = [.netns(name: name, NetworkNamespace(path: "/run/netns/x", inode: 7))]
        report.metrics = [p95(name), errors(name)]
        report.faults = [latency(name), pause(name)]
        report.checks = [
            RunReport.CheckReport(
                condition: "p95 < 300ms",
                held: false,
                values: ["p95": 0.412],
                atMs: 14_000,
                location: SourceLocation(file: name, line: 12)
            )
        ]
        report.worstAbortLagMs = 2200
        report.recoveredAfterMs = 2400
        report.statistics = statistics(name)
        report.timeline = timeline(name)
        report.proof = RunReport.Proof(reverts: ["\(name) is gone"], leaked: [])
        report.error = RunReport.ErrorReport(message: name, traceback: name)
        return report
    }

    private static var phases: [RunReport.PhaseRecord] {
        let spans: [(Phase, Double, Double)] = [
            (.initialize, 0, 120), (.baseline, 120, 8000), (.injection, 8000, 8100),
            (.monitoring, 8100, 17_000), (.rollback, 17_000, 17_010),
            (.postValidation, 17_010, 24_000), (.report, 24_000, 24_000),
        ]
        return spans.map { phase, start, end in
            var record = RunReport.PhaseRecord(phase: phase, startedMs: start)
            record.endedMs = end
            return record
        }
    }

    private static func p95(_ name: String) -> RunReport.MetricReport {
        var metric = RunReport.MetricReport(
            MetricDefinition(
                name: "p95",
                source: "http",
                options: [:],
                unit: .seconds,
                healthy: .below(0.3),
                tolerated: .between(-.infinity, 0.5)
            )
        )
        metric.samples = stride(from: 500.0, through: 24_000, by: 500).map { at in
            let slow = (8500...17_500).contains(at)
            let wave = (at / 700).truncatingRemainder(dividingBy: 3) * 0.012
            let value = slow ? 0.36 + wave * 2 : 0.11 + wave
            let isGap = (12_000...12_500).contains(at)
            return RunReport.Point(
                atMs: at,
                value: isGap ? nil : value,
                note: isGap ? "timed out: \(name)" : nil
            )
        }
        metric.firstViolationMs = 9500
        metric.before = summary(15, 0.118)
        metric.during = summary(18, 0.39)
        metric.during.noData = 2
        metric.after = summary(13, 0.121)
        return metric
    }

    private static func errors(_ name: String) -> RunReport.MetricReport {
        var metric = RunReport.MetricReport(
            MetricDefinition(
                name: name,
                source: "http",
                options: [:],
                unit: .share,
                healthy: .below(0.01)
            )
        )
        metric.samples = stride(from: 500.0, through: 24_000, by: 500).map { at in
            RunReport.Point(atMs: at, value: at == 11_000 ? .infinity : 0, note: nil)
        }
        metric.before = summary(15, 0)
        metric.during = summary(20, 0.002)
        metric.after = summary(13, 0)
        return metric
    }

    private static func statistics(_ name: String) -> [RunReport.Comparison] {
        var differs = RunReport.Comparison(kind: .beforeDuring, metric: "p95", unit: .seconds)
        (differs.firstCount, differs.secondCount, differs.result) = (15, 18, .differs)
        (differs.u, differs.pValue, differs.method) = (270, 0.0000012, "asymptotic")
        (differs.shift, differs.shiftLow, differs.shiftHigh) = (0.272, 0.261, 0.284)
        differs.cliffsDelta = 1
        let few = RunReport.Comparison(
            kind: .controlDuring,
            metric: name,
            control: name,
            unit: .share
        )
        return [differs, few]
    }

    private static func summary(_ count: Int, _ value: Double) -> RunReport.Summary {
        var summary = RunReport.Summary()
        summary.count = count
        summary.mean = value
        summary.minimum = value * 0.9
        summary.p50 = value
        summary.p95 = value * 1.2
        summary.p99 = value * 1.25
        summary.maximum = value * 1.3
        return summary
    }

    private static func latency(_ name: String) -> RunReport.FaultReport {
        let netns = Target.netns(name: name, NetworkNamespace(path: "/run/netns/x", inode: 7))
        var fault = RunReport.FaultReport(
            LeaseRecord(
                lease: LeaseID("9d4e401"),
                target: netns,
                heldBy: .kernel,
                engine: "netem",
                effect: Effect(name, hit: true)
            ),
            of: FaultSpec(
                fault: "network.latency",
                target: TargetSelector(kind: .netns, options: [:]),
                options: ["delay": "250ms", "to": .string(name)]
            ),
            injectedMs: 8050,
            injectedAt: "2026-11-25T08:30:08.050Z"
        )
        fault.measured = Effect(
            name,
            figures: [Figure("packets_delayed", 1841), Figure("mean_delay", 250.4, unit: "ms")],
            hit: true
        )
        fault.revertedMs = 17_004
        fault.outcome = .reverted
        fault.seen = "\(name) is gone"
        fault.revertTookMs = 1.7
        return fault
    }

    private static func pause(_ name: String) -> RunReport.FaultReport {
        var fault = RunReport.FaultReport(
            LeaseRecord(
                lease: LeaseID("9d4e402"),
                target: .process(name: name, ProcessIdentity(pid: 4711, startTime: 12)),
                heldBy: .journal,
                engine: nil,
                effect: Effect("state T in /proc", hit: true)
            ),
            of: FaultSpec(
                fault: "process.pause",
                target: TargetSelector(kind: .process, options: [:]),
                options: [:]
            ),
            injectedMs: 11_000,
            injectedAt: "2026-11-25T08:30:11.000Z"
        )
        fault.revertedMs = 14_000
        fault.outcome = .reverted
        fault.seen = "runs again: state R in /proc"
        fault.revertTookMs = 0.8
        return fault
    }

    private static func timeline(_ name: String) -> [RunEvent] {
        let events: [(Double, RunEvent.Kind, Phase, String)] = [
            (0, .started, .initialize, "run of \(name)"),
            (120, .phase, .baseline, "BASELINE_CHECK"),
            (8050, .injected, .injection, "network.latency on \(name)"),
            (9500, .health, .monitoring, "p95 is 412ms, must be below 300ms"),
            (12_000, .log, .monitoring, name), (13_000, .observation, .monitoring, name),
            (17_004, .reverted, .rollback, "network.latency on \(name)"),
            (24_000, .ended, .report, "the report is made"),
        ]
        return events.map { offset, kind, phase, text in
            RunEvent(
                at: 1_795_595_400 + offset / 1000,
                offsetMs: offset,
                kind: kind,
                phase: phase,
                text: text
            )
        }
    }
}
