// Definitions broken without end: each is loaded, or refused with file and line, and nothing crashes or hangs.

import ChaosModel
import ChaosScript
import ChaosSimulation
import Foundation
import TestSupport
import Testing

@Suite
struct `Broken definitions` {
    private static let seed =
        ProcessInfo.processInfo.environment["MOONQUAKE_SEED"].flatMap { UInt64($0) } ?? 1

    private static let yaml = """
        name: the shop survives
        steady_state:
          every: 500ms
          metrics:
            errors: { http: { url: 'http://127.0.0.1:1/', below: 1%, window: 5s } }
            cpu: { process: { target: { process: { name: nginx } }, measure: cpu, below: 90% } }
        blast_radius: &radius { targets: 50%, max_duration: 1m }
        faults:
          - process.pause: { target: { process: { pid: [1000, 1001], percent: 50% } } }
          - noop: { target: { host: {} }, duration: 3s }
        duration: 10s
        """

    private static let json = """
        { "name": "x", "steady_state": { "every": "1s", "metrics": { "m": { "http": { "url": "http://h/", "below": "1%" } } } },
          "faults": [ { "noop": { "target": { "host": {} }, "duration": "3s" } } ], "duration": "10s", "tags": ["\\u00e9"] }
        """

    private static let lua = """
        local p = params { hold = { type = "duration", default = "3s" } }
        experiment "x" {
          steady_state = { every = "1s", metrics = { one = metric.lua { function() return 1 end, below = 2 } } },
          blast_radius = { targets = "50%" },
          faults = { fault.noop { target = target.host {}, duration = p.hold } },
          duration = "10s",
        }
        """

    private static let words: [(ending: String, words: [String])] = [
        (
            "yaml",
            [
                "&a", "*a", "*radius", "!!binary", "---", "? ", "|", "<<:", "\t", "{", "]", "~",
                "1e999",
            ]
        ),
        ("json", ["{", "]", "null", "1e999", "\"\\ud800\"", ",", "\"name\":", "//", "'"]),
        (
            "lua",
            [
                "end", "function()", "while true do end", "[[", "\\xff", "...", "#", "nil", "}",
                "error()",
            ]
        ),
    ]

    @Test(arguments: [("yaml", 3000), ("json", 6000), ("lua", 600)])
    func `each is loaded or refused in words`(ending: String, count: Int) async throws {
        let folder = try TestFolder()
        let whole = ["yaml": Self.yaml, "json": Self.json, "lua": Self.lua][ending] ?? ""
        let words = Self.words.first { $0.ending == ending }?.words ?? []
        let loader = folder.loader(topLevelTime: .milliseconds(200))
        _ = try await loader.load(file: try folder.write(whole, as: "whole.\(ending)"))
        var (loaded, refused) = (0, 0)
        for seed in Self.seed..<Self.seed + UInt64(count) {
            var random = SeededGenerator(seed: seed)
            let text = random.broken(whole, words: words)
            let file = try folder.write(text, as: "x.\(ending)")
            do throws(ScriptError) {
                _ = try await loader.load(file: file)
                loaded += 1
            } catch {
                refused += 1
                #expect(!error.description.isEmpty, "MOONQUAKE_SEED=\(seed)")
                if case .definition = error {
                    #expect(
                        error.description.contains("x.\(ending)"),
                        "MOONQUAKE_SEED=\(seed): \(error)"
                    )
                }
            }
        }
        #expect(loaded > 0 && refused > loaded / 10, "both kinds came: \(loaded) and \(refused)")
    }

    @Test(arguments: [
        ("yaml", "[", 50_000), ("json", "[", 50_000), ("json", "{\"a\":", 50_000),
        ("yaml", "{a: ", 20_000),
        ("lua", "{", 50_000), ("lua", "(", 50_000), ("yaml", "- ", 20_000),
    ])
    func `one that is nested without end is refused`(ending: String, opening: String, depth: Int)
        async throws
    {
        let folder = try TestFolder()
        let text = String(repeating: opening, count: depth)
        let said = await folder.refusal(text, as: "x.\(ending)")
        #expect(!said.hasPrefix("accepted"), "\(said.prefix(200))")
    }

    @Test(.rounds)
    func `aliases of aliases do not multiply without end`() async throws {
        let folder = try TestFolder()
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
        for level in 1...9 {
            let last = "*a\(level - 1)"
            text +=
                "a\(level): &a\(level) [\(Array(repeating: last, count: 9).joined(separator: ", "))]\n"
        }
        let began = ContinuousClock.now
        let said = await folder.refusal(text + "name: x\n", as: "x.yaml")
        #expect(!said.hasPrefix("accepted"), "\(said.prefix(200))")
        #expect(ContinuousClock.now - began < .seconds(5), .ofFigure)
    }
}
