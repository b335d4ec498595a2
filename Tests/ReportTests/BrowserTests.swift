// The page in a real browser, headless Chromium, light and dark: the charts are there, the policy let nothing through, and
// the console is silent.

import ChaosModel
import FoundationEssentials
import Subprocess
import SystemPackage
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
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "moonquake-page-\(UUID().uuidString)"
        )
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "report.html")
        try Data(page.utf8).write(to: file)
        var arguments = [
            "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0",
            "--user-data-dir=\(folder.appending(path: "profile").path())",
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

    @Test(arguments: [
        ("report", HTMLReport(SampleReport.make()).text),
        ("day", GameDayHTML(SampleDay.make(), links: ["run-1": "day.runs/run-1.html"]).text),
    ])
    func `light and dark are two pictures`(name: String, page: String) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "moonquake-shot-\(UUID().uuidString)"
        )
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        var pictures: [Data] = []
        for dark in [false, true] {
            let file = folder.appending(path: "\(dark).png").path()
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
