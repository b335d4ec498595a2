// Each format of a day says what the day says, and nothing from outside acts in it.

import ChaosGameDay
import ChaosModel
import Testing

@testable import ChaosReport

@Suite
struct `Formats of the report of a GameDay` {
    private static let links = ["run-1": "day.runs/run-1.html", "run-2": "a b/\"><i>.html"]

    @Test
    func `HTML has the same elements whatever the texts are, and its links stay beside it`()
        async throws
    {
        func elements(_ name: String) async throws -> String {
            try await python(pageReader, GameDayHTML(SampleDay.make(name), links: Self.links).text)
        }
        let plain = try await elements("x")
        #expect(plain.contains("tag svg") && !plain.contains("tag script"))
        let bad = plain.split(separator: "\n").filter { $0.hasPrefix("bad ") }
        #expect(
            bad == [
                "bad href ./day.runs/run-1.html", "bad href ./a%20b/%22%3E%3Ci%3E.html",
            ]
        )
        for name in SampleReport.hostile {
            let hostile = try await elements(name)
            #expect(hostile == plain, "\(name)")
        }
    }

    @Test
    func `HTML says the outcome of each experiment, and what could not be told`() {
        let page = GameDayHTML(SampleDay.make(), links: Self.links).text
        #expect(page.contains("<p class=\"word\">DID NOT PASS</p>"))
        for word in ["held", "deviated", "inconclusive", "failed", "aborted", "skipped"] {
            #expect(page.contains("<span class=\"outcome \(word)\">"), "\(word)")
        }
        #expect(page.contains("1 of 6 experiments held"))
        #expect(page.contains("not told after 3 attempts"))
        #expect(page.contains(", for another plan"))
        #expect(page.contains("<code>moonquake report run-3</code>"))
        #expect(!page.contains("SOMETHING IS LEFT BEHIND"))
        var leaked = SampleDay.make()
        leaked.experiments[0].outcome = .leaked
        #expect(GameDayHTML(leaked).text.contains("SOMETHING IS LEFT BEHIND"))
    }

    @Test
    func `Markdown keeps its headings and columns whatever the texts are`() {
        let plain = markdownShape(GameDayMarkdown(SampleDay.make("x")).text)
        #expect(plain.filter { $0 == "##" }.count == 7)
        for name in SampleReport.hostile {
            let text = GameDayMarkdown(SampleDay.make(name)).text
            #expect(markdownShape(text) == plain, "\(name)")
            #expect(!text.contains("<") && !text.contains("\u{1b}") && !text.contains("]("))
        }
        let linked = GameDayMarkdown(SampleDay.make(), links: Self.links).text
        #expect(linked.contains("[run-1](./day.runs/run-1.html)"))
        #expect(linked.contains("[run-2](./a%20b/%22%3E%3Ci%3E.html)"))
    }

    @Test
    func `JUnit has a case for the day and one for each experiment, whatever the texts are`()
        async throws
    {
        let plain = try await python(xmlReader, GameDayJUnit(SampleDay.make("x")).text)
        #expect(plain.contains("7 3 2 1\n'x'"), "\(plain)")
        let head = plain.split(separator: "\n").dropLast()
        for name in SampleReport.hostile {
            let hostile = try await python(xmlReader, GameDayJUnit(SampleDay.make(name)).text)
            #expect(hostile.split(separator: "\n").dropLast() == head, "\(name): \(hostile)")
        }
    }

    @Test
    func `a day that was cut off before its first experiment has a report in every format`()
        throws
    {
        let day = GameDayReport(
            gameDayID: "day",
            definition: GameDayDefinition(
                name: "x",
                experiments: [],
                file: "x.lua",
                digest: "sha256:0"
            ),
            planDigest: "sha256:0",
            startedAt: "2026-11-25T08:30:00.000Z"
        )
        for format in ReportFormat.allCases {
            let text = try format.text(day, links: [:])
            #expect(!text.isEmpty && !text.contains("nan"))
        }
        #expect(GameDayHTML(day).text.contains("CUT OFF"))
        let read = try WireJSON.value(
            GameDayReport.self,
            from: ReportFormat.json.text(day, links: [:])
        )
        #expect(read == day)
    }
}
