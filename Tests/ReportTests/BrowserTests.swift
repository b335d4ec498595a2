// The page in a real browser, headless Chromium, light and dark: the charts are there, the policy let nothing through, and
// the console is silent.

import ChaosModel
import FoundationEssentials
import Subprocess
import SystemPackage
import TestSupport
import Testing

@testable import ChaosReport

@Suite(.serialized)
struct `The page in a browser` {
    static let browser = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    /// What the browser made of a page: its document, and what it said.
    private func open(
        _ page: String,
        dark: Bool,
        screenshot: String? = nil
    ) async throws -> (document: String, said: String) {
        let browser = try #require(Self.browser, "scripts/setup.sh installs chromium")
        let folder = try TestFolder()
        let file = folder["report.html"]
        try Data(page.utf8).write(to: file)
        var arguments = [
            "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0",
            "--user-data-dir=\(folder["profile"].path)",
            "--window-size=1280,2600",
            "--virtual-time-budget=2000", "--host-resolver-rules=MAP * ~NOTFOUND",
        ]
        if dark { arguments.append("--blink-settings=preferredColorScheme=0") }
        arguments.append(screenshot.map { "--screenshot=\($0)" } ?? "--dump-dom")
        arguments.append("file://\(file.path())")
        let result = try await Subprocess.run(
            .path(FilePath(browser)),
            arguments: Arguments(arguments),
            output: .string(limit: 1 << 22),
            error: .string(limit: 1 << 20)
        )
        return (result.standardOutput, result.standardError)
    }

    @Test(arguments: [false, true])
    func `charts are drawn and nothing is asked for`(dark: Bool) async throws {
        let names = ["the shop survives a slow cache"] + SampleReport.hostile.prefix(2)
        for name in names {
            let (document, said) = try await open(
                HTMLReport(SampleReport.make(name)).text,
                dark: dark
            )
            #expect(document.matches(of: /<svg class="chart"/).count == 2)
            #expect(document.contains("<polyline class=\"data\""))
            for part in ["baseline", "window", "unhealthy", "intolerable", "limit", "abort"] {
                #expect(document.contains("class=\"\(part)\""), "\(part)")
            }
            #expect(document.contains("first violation 0:09.5"))
            #expect(document.contains("<svg class=\"timeline\""))
            // Asked against measured, statistics in words, and the restoration with what was measured.
            for text in [
                "delay \"250ms\"", "mean delay 250.4ms", "Cliff's delta 1 (large)",
                "p95 before → during: +272ms (95 %: +261ms to +284ms), differs, p &lt; 0.0001",
                "too few samples", "Everything that was changed was measured to be as it was.",
                "reverted in 800us: runs again: state R in /proc",
            ] {
                #expect(document.contains(text), "\(text)")
            }
            #expect(!document.contains("<title>owned"))
            #expect(!document.contains("<script"))
            let console = said.split(separator: "\n").filter { $0.contains(":CONSOLE") }
            #expect(console.isEmpty, "\(console)")
        }
    }

    @Test(arguments: [false, true])
    func `the page of a GameDay is drawn, and asks for nothing`(dark: Bool) async throws {
        for name in ["the shop's rehearsal"] + SampleReport.hostile.prefix(2) {
            let page = GameDayHTML(SampleDay.make(name), links: ["run-1": "day.runs/run-1.html"])
            let (document, said) = try await open(page.text, dark: dark)
            #expect(document.contains("<svg class=\"timeline\""))
            #expect(document.matches(of: /<rect class="bar [a-z]+"/).count == 5)
            #expect(document.contains("href=\"./day.runs/run-1.html\""))
            #expect(!document.contains("<title>owned") && !document.contains("<script"))
            let console = said.split(separator: "\n").filter { $0.contains(":CONSOLE") }
            #expect(console.isEmpty, "\(console)")
        }
    }

    /// A page with its policy taken off, and a script that lists the texts of its charts which reach over an edge.
    private func measuring(_ page: String) -> String {
        let policy = /<meta http-equiv="Content-Security-Policy"[^>]*>/
        let script = """
            <script>
              for (const text of document.querySelectorAll("svg text")) {
                const box = text.getBBox(), edge = text.ownerSVGElement.viewBox.baseVal;
                const isCut = box.x < 0 || box.y < 0 || box.x + box.width > edge.width || box.y + box.height > edge.height;
                const line = document.createElement("pre");
                line.textContent = (isCut ? "cut " : "whole ") + JSON.stringify([text.textContent, box.x, box.x + box.width]);
                document.body.append(line);
              }
            </script>
            """
        return page.replacing(policy, with: "").replacing("</body>", with: script + "</body>")
    }

    @Test
    func `no text of a chart reaches over its edge, whatever its length and wherever it stands`()
        async throws
    {
        var pages = [HTMLReport(SampleReport.make()).text, GameDayHTML(SampleDay.make()).text]
        // The last tick of an axis stands at its end, here as "6m40s" and as "2h46m40s".
        for length in [400_000.0, 10_000_000] {
            var report = SampleReport.make()
            report.phases = [RunReport.PhaseRecord(phase: .monitoring, startedMs: 0)]
            report.phases[0].endedMs = length
            report.endedAt = Timestamp.iso8601(report.startedAtSeconds + length / 1000)
            report.metrics[0].samples = (0...10).map { index in
                RunReport.Point(atMs: length / 10 * Double(index), value: 12_345.678, note: nil)
            }
            pages.append(HTMLReport(report).text)
        }
        let names =
            SampleReport.hostile + [
                "short", String(repeating: "W", count: 60), String(repeating: "遅", count: 60),
            ]
        for name in names {
            var day = SampleDay.make()
            let start = try #require(day.timeline.first?.at)
            // Bars early, late, long and short.
            let spans = [(0.0, 20.0), (10, 390), (380, 400), (150, 250), (0, 400), (240, 400)]
            for (index, span) in spans.enumerated() {
                day.experiments[index].title = name
                day.experiments[index].startedAt = Timestamp.iso8601(start + span.0)
                day.experiments[index].endedAt = Timestamp.iso8601(start + span.1)
            }
            pages.append(GameDayHTML(day).text)
        }
        for page in pages {
            let document = try await open(measuring(page), dark: false).document
            #expect(document.matches(of: /<pre>whole/).count > 5)
            let cut = document.matches(of: /<pre>(cut .*?)<\/pre>/).map(\.1)
            #expect(cut.isEmpty, "\(cut)")
        }
    }

    @Test(arguments: [
        ("report", HTMLReport(SampleReport.make()).text),
        ("day", GameDayHTML(SampleDay.make(), links: ["run-1": "day.runs/run-1.html"]).text),
    ])
    func `light and dark are two pictures`(name: String, page: String) async throws {
        let folder = try TestFolder()
        var pictures: [Data] = []
        for dark in [false, true] {
            let file = folder["\(dark).png"].path
            _ = try await open(page, dark: dark, screenshot: file)
            pictures.append(try Data(contentsOf: URL(filePath: file)))
        }
        #expect(pictures.allSatisfy { $0.count > 20_000 })
        #expect(pictures[0] != pictures[1])
        // To be looked at by a person: MOONQUAKE_SHOTS=FOLDER keeps the pictures and the page.
        guard let keep = ProcessInfo.processInfo.environment["MOONQUAKE_SHOTS"] else { return }
        try pictures[0].write(to: URL(filePath: "\(keep)/\(name)-light.png"))
        try pictures[1].write(to: URL(filePath: "\(keep)/\(name)-dark.png"))
        try Data(page.utf8).write(to: URL(filePath: "\(keep)/\(name).html"))
    }
}
