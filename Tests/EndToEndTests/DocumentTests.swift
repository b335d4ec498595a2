// What the documents show beside their definitions, which DocsTests runs: commands, sessions, what is printed, lines of
// protocol and journal. A block of code that none of these tests knows fails the last one.

import ChaosModel
import Glibc
import Testing

/// The blocks of code of a document that are indented by four blanks, each without them.
private func blocks(of document: String) throws -> [String] {
    let text = try #require(File.text("\(Moonquake.tree)/\(document)"), "\(document)")
    var blocks: [[Substring]] = []
    var isFenced = false
    var last: Substring = ""
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
        if line.hasPrefix("```") { isFenced.toggle() }
        if !isFenced, line.hasPrefix("    "), !line.hasPrefix("    - ") {
            if last.hasPrefix("    "), !blocks.isEmpty {
                blocks[blocks.count - 1].append(line.dropFirst(4))
            } else {
                blocks.append([line.dropFirst(4)])
            }
        }
        last = line
    }
    return blocks.map { $0.joined(separator: "\n") }
}

/// The only block of a document in which a text stands.
private func block(of document: String, with text: String) throws -> String {
    let found = try blocks(of: document).filter { $0.contains(text) }
    #expect(found.count == 1, "\(document): \(found)")
    return try #require(found.first)
}

@Suite(.serialized)
struct `What documents show` {
    private static let documents =
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"]
        + File.names(in: Moonquake.tree + "/docs").filter { $0.hasSuffix(".md") }.map {
            "docs/\($0)"
        }

    // MARK: Commands

    /// The words of a command as documents write them, up to where they stop being the program's.
    private func words(_ command: Substring) -> [String] {
        command.prefix { !"|<>;&".contains($0) }.split(separator: " ").map(String.init)
    }

    @Test
    func `each command that they name is one of the program, with those options`() throws {
        try Sandbox.with { box in
            var helps: [[String]: String] = [:]
            func help(_ path: [String]) throws -> String {
                if let known = helps[path] { return known }
                let program = try box.start([Moonquake.path, "help"] + path)
                try program.ended()
                helps[path] = program.output
                return program.output
            }
            var count = 0
            for document in Self.documents {
                let text = File.text("\(Moonquake.tree)/\(document)") ?? ""
                let inText = text.matches(of: /`moonquake ([^`\n]+)`/).map(\.1)
                let inBlocks = try blocks(of: document).flatMap { block in
                    block.matches(of: /(?m)^(?:\$ )?moonquake (\S.*?)(?: {2,}.*)?$/).map(\.1)
                }
                for command in inText + inBlocks {
                    var rest = words(command)[...]
                    var path = [rest.removeFirst()]
                    // Said of several: `gameday run|check|schedule`, `approve|reject`.
                    guard !path[0].contains("|"), path[0].first?.isLetter == true else { continue }
                    var known = try help(path)
                    #expect(
                        known.contains("USAGE: moonquake \(path[0])"),
                        "\(document): \(command)"
                    )
                    if let next = rest.first, known.contains(/SUBCOMMANDS:/),
                        known.contains("\n  \(next) ")
                    {
                        path.append(next)
                        known = try help(path)
                    }
                    for option in rest.prefix(while: { $0 != "--" }) where option.contains("--") {
                        let name = option.trimmingPrefix { $0 == "[" }.prefix {
                            $0.isLetter || $0 == "-"
                        }
                        #expect(known.contains(name), "\(document): \(command)")
                    }
                    count += 1
                }
            }
            #expect(count > 60, "\(count)")
        }
    }

    @Test
    func `the commands of the catalogue's page do what it says, in their order`() throws {
        try Sandbox.with { box in
            let practice = try box.practice()
            let page = "docs/catalogue.md"
            let commands =
                try block(of: page, with: "catalog add").split(separator: "\n")
                + block(of: page, with: "run --again").split(separator: "\n").map {
                    $0.prefix(upTo: $0.firstRange(of: "    ")?.lowerBound ?? $0.endIndex)
                }
            #expect(commands.count == 8)
            let file = practice.experiments + "/redis-restart.lua"
            for command in commands {
                if command.contains("catalog diff") {
                    // There is a second version by then.
                    try File.write((File.text(file) ?? "") + "-- again\n", to: file)
                    #expect(try box.moonquake("catalog", "add", file).code == 0)
                }
                let words = command.replacing("scripts/experiments", with: practice.experiments)
                    .replacing("RUN", with: "last")
                    .replacing("r.html", with: box.folder + "/r.html")
                    .split(separator: " ").dropFirst().map(String.init)
                let ended = try box.moonquake(words)
                #expect(ended.code == 0, "\(command): \(ended.errors)\(ended.output)")
                #expect(!ended.output.isEmpty || command.contains("--report"), "\(command)")
            }
            #expect(File.text(box.folder + "/r.html")?.contains("<h1>redis comes back") == true)
            #expect(try box.moonquake("runs").output.split(separator: "\n").count == 2)
        }
    }

    @Test
    func `the commands of a GameDay's page do what it says`() throws {
        try Sandbox.with { box in
            let file = try box.harmlessDay("schedule = { every = \"1h\" }", experiments: ["one"])
            let lines = try block(of: "docs/gamedays.md", with: "gameday check FILE")
                .split(separator: "\n")
            for line in lines {
                let command = line.prefix(
                    upTo: line.firstRange(of: "    ")?.lowerBound ?? line.endIndex
                )
                var words = command.replacing("FILE", with: file).split(separator: " ").dropFirst()
                    .map(String.init)
                // A gate that is not open, and a daemon that ends.
                let isAnswer = words[0] == "approve"
                if isAnswer { words = ["approve"] }
                if words.last == "daemon" { words.append("--once") }
                let ended = try box.moonquake(words)
                #expect(ended.code == (isAnswer ? 2 : 0), "\(line): \(ended.errors)")
            }
            #expect(lines.count == 6)
        }
    }

    @Test
    func `the types for editors come about as the page says`() throws {
        try Sandbox.with { box in
            let lines = try block(of: "docs/scripting.md", with: "moonquake meta >")
            let script = "cd '\(box.folder)'\nmoonquake() { '\(Moonquake.path)' \"$@\"; }\n" + lines
            try box.tool("sh", "-euc", script)
            let types = "\(Moonquake.tree)/stdlib/_meta/moonquake.lua"
            #expect(File.text(box.folder + "/.lua/moonquake.lua") == File.text(types))
            let settings = try #require(File.text(box.folder + "/.luarc.json"))
            let read = try WireJSON.value([String: ParameterValue].self, from: settings)
            #expect(read["runtime.version"] == "Lua 5.4")
        }
    }

    // MARK: What is printed

    /// Durations and numbers of runs are others each time.
    private func timeless(_ text: String) -> String {
        text.replacing(/[0-9.]+(us|ms|s)\b/, with: "TIME")
    }

    @Test
    func `tests of scripts print what the page shows, and what does not hold`() throws {
        try Sandbox.with { box in
            let page = try #require(File.text(Moonquake.tree + "/docs/testing.md"))
            let script = try #require(page.firstMatch(of: /(?ms)^```lua\n(.*?)^```/)).1
            let tests = try #require(page.firstMatch(of: /(?ms)^```lua test\n(.*?)^```/)).1
            _ = try box.write("half.lua", String(script))
            _ = try box.write("half_test.lua", String(tests))
            func run() throws -> Program {
                let command = "cd '\(box.folder)' && exec '\(Moonquake.path)' test half_test.lua"
                return try box.start(["sh", "-c", command])
            }
            let shown = try block(of: "docs/testing.md", with: "$ moonquake test")
            let passed = try run()
            #expect(try passed.ended() == 0)
            let expected = shown.split(separator: "\n").dropFirst().joined(separator: "\n")
            #expect(timeless(passed.output) == timeless(expected + "\n"))

            _ = try box.write(
                "half_test.lua",
                String(tests).replacing("\"deviated\")", with: "\"held\")")
            )
            let failed = try run()
            #expect(try failed.ended() == 1)
            let told = try block(of: "docs/testing.md", with: "FAIL")
            for line in told.split(separator: "\n") {
                #expect(
                    timeless(failed.output).contains(timeless(String(line))),
                    "\(failed.output)"
                )
            }
        }
    }

    /// What is wrong in a script, for each message that the page shows.
    private static let wrong = [
        "inject(fault.noop { target = target.host {}, duration = 30 })",
        "inject(fault.network.partition { target = target.host {}, too = \"10.9.0.3\" })",
        "inject(fault.process.pause { target = target.process {} })",
        "x = 1",
        "steady_state { metrics = { p99 = metric.tcp { address = \"h:1\", measure = \"p99\" } } } check_metric(\"p98 < 1s\")",
        "inject(fault.network.partition { target = target.host {}, to = \"10.9.0.3:5432\", port = 5432 })",
    ]

    @Test
    func `check prints the messages that the page shows`() throws {
        try Sandbox.with { box in
            let lines = try block(of: "docs/scripting.md", with: "noop: duration needs a unit")
                .split(separator: "\n")
            #expect(lines.count == Self.wrong.count)
            for (line, script) in zip(lines, Self.wrong) {
                _ = try box.write("t.lua", script + "\n")
                let command = "cd '\(box.folder)' && exec '\(Moonquake.path)' check t.lua"
                let check = try box.start(["sh", "-c", command])
                #expect(try check.ended() == 2)
                #expect(check.errors.contains(line), "\(check.errors)")
            }
        }
    }

    @Test(.root)
    func `the session of the prompt's page goes as it says`() throws {
        try Sandbox.with { box in
            let (near, far) = try box.network()
            let before = try box.world(near, far)
            let inputs = try block(of: "docs/repl.md", with: "$ moonquake repl")
                .matches(of: /(?m)^moonquake\[(\d+)\]> (.*)$/)
            #expect(inputs.count == 5)
            let terminal = try Terminal()
            let own = ["TERM": "xterm", "XDG_STATE_HOME": box.folder + "/xdg", "HOME": box.folder]
            let prompt = try box.begin(
                "repl",
                environment: Program.environment.merging(own) { $1 },
                terminal: terminal.path
            )
            let answers = ["2": "nothing was changed", "3": "injected ", "4": "reverted "]
            for input in inputs {
                try terminal.shows("moonquake[\(input.1)]> ")
                terminal.type(input.2.replacing("\"db\"", with: "\"\(near)\"") + "\r")
                if let answer = answers[String(input.1)] { try terminal.shows(answer) }
            }
            #expect(try prompt.ended() == 0)
            try box.expect(before, in: near, far)
        }
    }

    // MARK: Lines that programs read

    @Test
    func `lines of the protocol, of journals and of events are what the program reads`() throws {
        var counts: [String: Int] = [:]
        for document in ["docs/agent-protocol.md", "docs/safety.md", "docs/report.md"] {
            for line in try blocks(of: document).flatMap({ $0.split(separator: "\n") }) {
                let text = String(line.drop { "<> ".contains($0) })
                guard text.hasPrefix("{\"") else { continue }
                counts[document, default: 0] += 1
                switch document {
                case "docs/safety.md":
                    _ = try WireJSON.value(JournalEntry.self, from: text)
                case "docs/agent-protocol.md" where line.hasPrefix(">"):
                    _ = try WireJSON.value(AgentRequest.self, from: text)
                case "docs/agent-protocol.md":
                    _ = try WireJSON.value(AgentLine.self, from: text)
                default:
                    let fields = try WireJSON.value([String: ParameterValue].self, from: text)
                    #expect(fields["kind"] != nil, "\(text)")
                }
            }
        }
        let least = ["docs/agent-protocol.md": 22, "docs/safety.md": 6, "docs/report.md": 2]
        for (document, count) in least { #expect((counts[document] ?? 0) >= count, "\(document)") }
    }

    @Test
    func `the policy is one, and what it forbids is refused`() throws {
        let policy = try Policy.parse(
            try block(of: "docs/safety.md", with: "\"max_target_share\""),
            from: "p.json"
        )
        #expect(policy.maxTargets?.value == 3)
        #expect(policy.refusal(ofFault: "disk.fill") != nil)
        #expect(policy.refusal(ofFault: "network.loss") == nil)
    }

    // MARK: Nothing is left out

    /// How a block begins that one of the tests above runs or reads, or that other tests of this module run for real:
    /// ReadmeTests, RecoveryTests, AbortTests, PolicyTests, ShadowTests, BrowserTests.
    private static let known = [
        "README.md": [
            "make demo", "python3 -m http.server", "$ moonquake check --plan", "$ moonquake run",
            "a short stall goes unnoticed",
        ],
        "ARCHITECTURE.md": ["moonquake run   "],
        "CONTRIBUTING.md": ["make "],
        "docs/agent-protocol.md": ["{\"", "> {\"", "< {\""],
        "docs/catalogue.md": ["moonquake "],
        "docs/gamedays.md": ["moonquake gameday check", "systemctl enable"],
        "docs/performance.md": ["make bench", "bench/", "AMD EPYC, 2 processors, Linux"],
        "docs/repl.md": ["$ moonquake repl"],
        "docs/report.md": ["{", "shadow run: nothing was harmed", "{\"at\""],
        "docs/safety.md": [
            "{\"", "$ moonquake recover", "{\n", "process.kill: process 4711", "$ moonquake abort",
        ],
        "docs/scripting.md": ["condition  =", "noop: duration needs", "mkdir -p .lua"],
        "docs/testing.md": ["$ moonquake test", "  FAIL"],
    ]

    @Test
    func `each block of code is of a kind that a test runs or reads`() throws {
        for document in Self.documents {
            let text = File.text("\(Moonquake.tree)/\(document)") ?? ""
            let fences = text.matches(of: /(?m)^ *```(\S.*)$/).map(\.1)
            #expect(Set(fences).isSubset(of: ["lua", "lua test", "yaml", "json"]), "\(document)")
            #expect(text.matches(of: /(?m)^ *```/).count == 2 * fences.count, "\(document)")
            for block in try blocks(of: document) {
                let isKnown = (Self.known[document] ?? []).contains(where: block.hasPrefix)
                #expect(isKnown, "\(document): \(block)")
            }
        }
    }
}
