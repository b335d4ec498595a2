// Each format says what the report says, and nothing from outside acts in it.

import ChaosModel
import Testing

@testable import ChaosReport

@Suite
struct `Formats of the report` {
    @Test
    func `the ending says the format`() {
        #expect(ReportFormat(path: "a/b.json") == .json)
        #expect(ReportFormat(path: "b.HTML") == .html)
        #expect(ReportFormat(path: "b.md") == .markdown)
        #expect(ReportFormat(path: "b.xml") == .junit)
        for path in ["b", "b.pdf", ".json", "a.json/b", "", "b."] {
            #expect(ReportFormat(path: path) == nil, "\(path)")
        }
    }

    @Test
    func `JSON is read back as it was`() throws {
        for name in SampleReport.hostile {
            let report = SampleReport.make(name)
            let text = try ReportFormat.json.text(report)
            #expect(try WireJSON.value(RunReport.self, from: text) == report)
        }
    }

    @Test
    func `HTML has the same elements whatever the texts are`() async throws {
        let plain = try await python(pageReader, HTMLReport(SampleReport.make("x")).text)
        #expect(
            plain.contains("tag svg") && !plain.contains("bad ") && !plain.contains("tag script")
        )
        for name in SampleReport.hostile {
            let hostile = try await python(pageReader, HTMLReport(SampleReport.make(name)).text)
            #expect(hostile == plain, "\(name)")
        }
    }

    @Test
    func `an abort and a share of traffic are told in every format for people`() {
        var report = SampleReport.make("x")
        report.abort = RunReport.AbortReport(
            reason: "abort threshold of p95 is 2.1s",
            atMs: 12_000,
            tookMs: 34,
            cause: .threshold,
            rule: "abort threshold of p95",
            metric: "p95",
            sample: RunReport.Point(atMs: 11_900, value: 2.1, note: nil)
        )
        var radius = RunReport.RadiusReport(
            fault: "network.latency",
            leases: [LeaseID("a1")],
            declaredShare: nil,
            candidates: 1,
            hit: 1,
            atMs: 3000
        )
        radius.declaredTraffic = 0.1
        radius.traffic = TrafficShare(.connections, matched: 80, hit: 9)
        report.radius = [radius]
        let texts = [
            TerminalSummary(colours: false).text(report), MarkdownReport(report).text,
            HTMLReport(report).text,
        ]
        for text in texts {
            let plain = text.replacing("\\", with: "")
            #expect(
                plain.contains("abort threshold of p95 is 2.1s; everything reverted 34ms later")
            )
            #expect(
                plain.contains(
                    "cause threshold, decided at 12s by the sample of p95 of 11.9s; an abort could be late by 2.2s at worst"
                )
            )
            #expect(
                plain.contains("network.latency hit 9 of 80 connections (11.3%), declared 10%"),
                "\(plain)"
            )
        }
    }

    @Test
    func `HTML asks for nothing and runs nothing`() {
        let page = HTMLReport(SampleReport.make()).text
        #expect(page.contains("default-src 'none'; style-src 'unsafe-inline'"))
        #expect(
            !page.contains("http://") && !page.contains("https://") && !page.contains("<script")
        )
        #expect(!page.contains("url(") && !page.contains("@import"))
    }

    @Test
    func `a report of a run that ended at once is a page too`() {
        let experiment = ExperimentDefinition(name: "x", file: "x.lua")
        let report = RunReport(
            runID: "r",
            definition: RunReport.Definition(experiment),
            seed: 1,
            startedAt: "2026-11-25T08:30:00.000Z",
            startedAtSeconds: 1
        )
        for format in ReportFormat.allCases {
            #expect((try? format.text(report))?.isEmpty == false)
        }
        #expect(HTMLReport(report).text.contains("Nothing was touched"))
        #expect(!HTMLReport(report).text.contains("nan"))
    }

    @Test
    func `what is left behind is the loudest thing of the page`() {
        var report = SampleReport.make()
        report.restoration = .leaked
        report.exitCode = 4
        report.proof.leaked = ["process 4711 is still stopped"]
        let page = HTMLReport(report).text
        #expect(page.contains("<header class=\"verdict leaked\">"))
        #expect(page.contains("SOMETHING IS LEFT BEHIND"))
        #expect(page.contains("<section id=\"leaked\"><h2>Left behind</h2>"))
        #expect(
            MarkdownReport(report).text.contains(
                "## Left behind\n\n- process 4711 is still stopped"
            )
        )
        #expect(
            JUnitReport(report).text.contains(
                "<failure message=\"left behind: process 4711 is still stopped\">"
            )
        )
    }

    @Test
    func `JUnit XML is well-formed, and says the same whatever the texts are`() async throws {
        let plain = try await python(xmlReader, JUnitReport(SampleReport.make("x")).text)
        #expect(plain.contains("3 2 0 0\n'x'"), "\(plain)")
        let head = plain.split(separator: "\n").dropLast()
        for name in SampleReport.hostile {
            let hostile = try await python(xmlReader, JUnitReport(SampleReport.make(name)).text)
            #expect(hostile.split(separator: "\n").dropLast() == head, "\(name): \(hostile)")
        }
    }

    @Test
    func `an unhealthy baseline is skipped in JUnit, and an inconclusive run an error`()
        async throws
    {
        var report = SampleReport.make()
        report.verdict = .inconclusive
        report.checks = []
        report.exitCode = ExitCode.baseline.rawValue
        #expect(JUnitReport(report).text.contains("skipped=\"1\""))
        report.exitCode = ExitCode.inconclusive.rawValue
        #expect(JUnitReport(report).text.contains("errors=\"1\""))
    }

    @Test
    func `Markdown keeps its headings and columns whatever the texts are`() {
        let plain = markdownShape(MarkdownReport(SampleReport.make("x")).text)
        for name in SampleReport.hostile {
            let text = MarkdownReport(SampleReport.make(name)).text
            #expect(markdownShape(text) == plain, "\(name)")
            #expect(!text.contains("<") && !text.contains("\u{1b}") && !text.contains("]("))
        }
    }

    @Test
    func `two runs are compared line by line`() {
        let first = SampleReport.make()
        var second = first
        second.runID = "20261125-093000-000000"
        second.verdict = .held
        second.exitCode = 0
        second.metrics[0].during.mean = 0.195
        second.definition.digest = "sha256:4567"
        let text = ReportComparison(first, second).text
        #expect(text.contains("note: the definition was changed between these runs"))
        #expect(text.contains(/verdict +deviated +held +differs/), "\(text)")
        #expect(text.contains(/p95 during, mean +390ms +195ms +-50%/), "\(text)")
        let hostile = ReportComparison(SampleReport.make("\u{1b}[2J\nx"), first).text
        #expect(!hostile.contains("\u{1b}"))
    }
}
