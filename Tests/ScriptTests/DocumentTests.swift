// YAML and JSON say the same as Lua, and are refused with the same words.

import ChaosModel
import ChaosScript
import TestSupport
import Testing

@Suite
struct `Loading a document` {
    private let folder: TestFolder

    init() throws { folder = try TestFolder() }

    private static let lua = """
        experiment "the shop survives" {
          owner = "shop", description = "Why.", hypothesis = "It does.", tags = { "cache", "no" },
          steady_state = {
            every = "500ms", warmup = "2s",
            metrics = {
              errors = metric.http {
                url = "http://127.0.0.1:1/", headers = { ["X-Env"] = "test" }, below = "1%", window = "5s",
              },
              cpu = metric.process { target = target.process { name = "nginx" }, measure = "cpu", below = "90%" },
            },
          },
          blast_radius = { targets = "50%", traffic = "10%", max_duration = "1m" },
          faults = {
            fault.process.pause { target = target.process { pid = { 1000, 1001 }, percent = "50%" } },
            fault.noop { target = target.host {}, duration = "3s" },
          },
          duration = "10s",
        }
        """

    private static let yaml = """
        name: the shop survives
        owner: shop
        description: Why.
        hypothesis: It does.
        tags: [cache, no]
        steady_state:
          every: 500ms
          warmup: 2s
          metrics:
            errors:
              http: { url: 'http://127.0.0.1:1/', headers: { X-Env: test }, below: 1%, window: 5s }
            cpu:
              process:
                target: { process: { name: nginx } }
                measure: cpu
                below: 90%
        blast_radius: { targets: 50%, traffic: 10%, max_duration: 1m }
        faults:
          - process.pause:
              target: { process: { pid: [1000, 1001], percent: 50% } }
          - noop: { target: { host: {} }, duration: 3s }
        duration: 10s
        """

    private static let json = """
        { "name": "the shop survives", "owner": "shop", "description": "Why.", "hypothesis": "It does.",
          "tags": ["cache", "no"],
          "steady_state": { "every": "500ms", "warmup": "2s", "metrics": {
            "errors": { "http": { "url": "http:\\/\\/127.0.0.1:1/", "headers": { "X-Env": "test" },
              "below": "1%", "window": "5s" } },
            "cpu": { "process": { "target": { "process": { "name": "nginx" } }, "measure": "cpu",
              "below": "90%" } } } },
          "blast_radius": { "targets": "50%", "traffic": "10%", "max_duration": "1m" },
          "faults": [
            { "process.pause": { "target": { "process": { "pid": [1000, 1001], "percent": "50%" } } } },
            { "noop": { "target": { "host": {} }, "duration": "3s" } } ],
          "duration": "10s" }
        """

    /// A definition without what belongs to its file.
    private func definition(_ text: String, as name: String) async throws -> ExperimentDefinition {
        var definition = try await folder.load(text, as: name)[0].definition
        definition.file = ""
        definition.digest = ""
        for index in definition.steadyState.metrics.indices {
            definition.steadyState.metrics[index].location = nil
            definition.steadyState.metrics[index].target?.location = nil
        }
        for index in definition.faults.indices {
            definition.faults[index].location = nil
            definition.faults[index].target.location = nil
        }
        return definition
    }

    @Test
    func `Lua, YAML and JSON make the same definition`() async throws {
        let lua = try await definition(Self.lua, as: "x.lua")
        #expect(try await definition(Self.yaml, as: "x.yaml") == lua)
        #expect(try await definition(Self.yaml, as: "x.YML") == lua)
        #expect(try await definition(Self.json, as: "x.json") == lua)
        #expect(lua.faults.count == 2 && lua.steadyState.metrics.count == 2)
    }

    @Test
    func `a file of several documents defines several experiments`() async throws {
        let other = Self.yaml.replacing("the shop survives", with: "the other one")
        let both = try await folder.load("\(Self.yaml)\n---\n\(other)\n", as: "x.yaml")
        #expect(both.map(\.definition.name) == ["the shop survives", "the other one"])
        let same = await folder.refusal("\(Self.yaml)\n---\n\(Self.yaml)\n", as: "x.yaml")
        #expect(same.contains("two experiments have the title"), "\(same)")
        #expect(same.contains("x.yaml:24"), "\(same)")
    }

    /// A change to the whole document, and what is said about it.
    struct Mistake: Sendable, CustomTestStringConvertible {
        let old: String
        let new: String
        let said: String

        init(_ old: String, _ new: String, _ said: String) {
            self.old = old
            self.new = new
            self.said = said
        }

        var testDescription: String { new }
    }

    static let mistakes = [
        Mistake(
            "duration: 10s",
            "duration: 10",
            "experiment: duration needs a unit: write \"10s\", got the bare number 10 (x.yaml:22)"
        ),
        Mistake(
            "below: 90%",
            "below: 0.9",
            "metric.process: below needs a unit: write \"0.9%\", got the bare number 0.9 "
                + "(the measure is cpu) (x.yaml:16)"
        ),
        Mistake(
            "measure: cpu",
            "mesure: cpu",
            "metric.process: unknown option \"mesure\"; did you mean \"measure\"? (x.yaml:15)"
        ),
        Mistake(
            "- noop:",
            "- nop:",
            "fault: unknown fault \"nop\"; did you mean \"noop\"? (x.yaml:21)"
        ),
        Mistake(
            "{ host: {} }",
            "{ hosts: {} }",
            "target: unknown target \"hosts\"; did you mean \"host\"? (x.yaml:21)"
        ),
        Mistake(
            "duration: 3s",
            "duration: 3 parsecs",
            "noop: duration must be a duration such as \"250ms\" or \"2m\", got \"3 parsecs\" (x.yaml:21)"
        ),
        Mistake(
            "owner: shop",
            "owner: shop\nowner: web",
            "x.yaml: has the key \"owner\" twice in one mapping"
        ),
        Mistake(
            "owner: shop",
            "ownr: shop",
            "experiment: unknown option \"ownr\"; did you mean \"owner\"? (x.yaml:2)"
        ),
        Mistake(
            "owner: shop",
            "owner:",
            "owner: has no value: give one, or leave the key out (x.yaml:2)"
        ),
        Mistake(
            "owner: shop",
            "run: print",
            "run is a function, which only a Lua script can have (x.yaml:2)"
        ),
        Mistake(
            "owner: shop",
            "owner: { param: who }",
            "unknown parameter \"who\"; declare it in params (x.yaml:2)"
        ),
        Mistake("owner: shop", "owner: { secret: MQ_UNSET }", "the variable MQ_UNSET is not set"),
        Mistake(
            "every: 500ms",
            "every: 500ms\n\twarmup: 1s",
            "is not YAML: found a tab character that violates indentation (x.yaml:8)"
        ),
        Mistake(
            "name: the shop survives",
            "name: \"a\\nb\"",
            "the title must be 1 to 200 characters without control characters, got \"a\\nb\" (x.yaml:1)"
        ),
        Mistake(
            "  - noop:",
            "  - noop: {}\n    process.kill:",
            "expects one key, the name of a fault: write network.loss: {…}, got the keys noop, process.kill"
        ),
    ]

    @Test(arguments: mistakes)
    func `a mistake is told with its line`(_ mistake: Mistake) async {
        let text = Self.yaml.replacing(mistake.old, with: mistake.new, maxReplacements: 1)
        #expect(text != Self.yaml)
        let said = await folder.refusal(text, as: "x.yaml")
        #expect(said.contains(mistake.said), "\(said)")
    }

    @Test
    func `a mistake in JSON is told with its line`() async {
        func said(_ old: String, _ new: String) async -> String {
            await folder.refusal(Self.json.replacing(old, with: new), as: "x.json")
        }
        let bare = await said("\"duration\": \"10s\"", "\"duration\": 10")
        #expect(
            bare
                == "experiment: duration needs a unit: write \"10s\", got the bare number 10 (x.json:12)"
        )
        let comma = await said("\"duration\": \"10s\"", "\"duration\": \"10s\",")
        #expect(
            comma
                == "x.json: is not the JSON of a definition: it expects a key in quotes (x.json:12)"
        )
        let twice = await said("\"owner\": \"shop\"", "\"owner\": \"shop\", \"owner\": \"web\"")
        #expect(twice.contains("has the key \"owner\" twice in one object (x.json:1)"), "\(twice)")
        for broken in [
            "", "{", "[1,", "{\"name\": nul}", "{\"name\": 01}", "\"\\ud800\"", "{} x", "{'a': 1}",
        ] {
            let said = await folder.refusal(broken, as: "x.json")
            #expect(said.contains("is not the JSON of a definition"), "\(broken): \(said)")
        }
    }

    @Test
    func `JSON texts keep their escapes`() async throws {
        let text = Self.json.replacing("\"Why.\"", with: "\"a\\u00e9 \\ud83d\\ude00\\t\\\\ \\\"\"")
        let definition = try await folder.load(text, as: "x.json")[0].definition
        #expect(definition.description == "aé 😀\t\\ \"")
    }

    /// Files that would cost more than they say.
    static let bombs: [String] = [
        String(repeating: "[", count: 20_000),
        String(repeating: "- ", count: 20_000),
        String(repeating: "{a: ", count: 900),
        (0..<900).map { String(repeating: " ", count: $0) + "a:" }.joined(separator: "\n"),
        "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
            + (1..<10).map { number in
                let aliases = Array(repeating: "*a\(number - 1)", count: 9)
                return "a\(number): &a\(number) [\(aliases.joined(separator: ","))]"
            }.joined(separator: "\n"),
        "a: &a [*a]",
        "name: \"\u{0}\"",
    ]

    @Test(.timeLimit(.minutes(1)), arguments: bombs.indices)
    func `a file that is made to hurt is refused`(_ index: Int) async {
        let bomb = Self.bombs[index]
        for name in ["x.yaml", "x.json"] {
            let said = await folder.refusal(bomb, as: name)
            #expect(!said.hasPrefix("accepted"), "\(said)")
            #expect(said.hasPrefix("\(name): ") || said.contains("x.yaml:"), "\(said)")
        }
    }

    @Test
    func `words that YAML 1.1 took for something else are texts`() async throws {
        for word in ["no", "yes", "on", "off", "1:30", "0x1f", "1_000", "2026-11-25"] {
            let text = Self.yaml.replacing("owner: shop", with: "owner: \(word)")
            #expect(try await folder.load(text, as: "x.yaml")[0].definition.owner == word)
        }
    }
}
