// What the program prints and writes: reports, JSON lines, hostile texts, and that it needs nothing of PATH.

import ChaosModel
import FoundationEssentials
import Glibc
import TestSupport
import Testing

@Suite(.serialized)
struct OutputTests {
    private func paused(_ box: Sandbox, _ rest: String = "") throws -> String {
        let sleeper = try box.sleeper()
        return try box.write(
            "paused.lua",
            """
            local own = target.process { pid = \(sleeper.pid) }
            experiment "a <script>alert(1)</script> & more" {
              hypothesis = "line one\\nline two \\27[31mred",
              steady_state = {
                every = "100ms", warmup = "300ms",
                metrics = { alive = metric.process { target = own, measure = "alive", equals = 1 } },
              },
              run = function()
                inject(fault.process.pause { target = own })
                observe("seen\\nin two lines")
                wait "500ms"
                \(rest)
              end,
            }
            """
        )
    }

    @Test
    func `where no run is recorded yet, that is said`() throws {
        try Sandbox.with { box in
            for (command, code) in [(["runs"], 0), (["report", "last"], 2), (["report", "x"], 2)] {
                let said = try box.moonquake(command)
                #expect(said.code == code)
                #expect(said.errors.contains("no run is recorded yet in "), "\(said.errors)")
            }
        }
    }

    @Test
    func `the report has the keys of its contract`() throws {
        try Sandbox.with { box in
            let file = box.folder + "/x.json"
            let script = try paused(box)
            let run = try box.moonquake("run", script, "--report", file, "--seed", "42")
            #expect(run.code == 0, "\(run.errors)\(run.output)")
            let text = try #require(File.text(file))
            let keys = try Self.keys(of: text)
            let contract = [
                "schema_version", "run_id", "definition", "seed", "status", "verdict",
                "restoration", "exit_code",
                "started_at", "ended_at", "phases", "targets", "metrics", "faults", "statistics",
                "timeline", "proof",
            ]
            #expect(
                Set(contract).subtracting(keys).isEmpty,
                "missing: \(Set(contract).subtracting(keys))"
            )
            let report = try WireJSON.value(RunReport.self, from: text)
            #expect(report.seed == 42)
            #expect(
                report.verdict == .held && report.status == .completed
                    && report.restoration == .restored
            )
            #expect(
                report.phases.map(\.phase) == [
                    .initialize, .baseline, .injection, .monitoring, .rollback, .postValidation,
                    .report,
                ]
            )
            #expect(report.definition.digest.hasPrefix("sha256:"))
            #expect(report.metrics.map(\.name) == ["alive"])
            #expect(report.metrics[0].before.count > 0 && report.metrics[0].during.count > 0)
            #expect(report.proof.leaked.isEmpty && report.proof.reverts.count == 1)
            let fault = try Self.keys(of: text, at: "faults")
            #expect(
                Set([
                    "name", "target", "held_by", "asked", "measured", "injected_at", "reverted_at",
                ])
                .isSubset(of: fault),
                "\(fault)"
            )
        }
    }

    /// The keys of an object, or of the first object of one of its lists.
    private static func keys(of text: String, at list: String? = nil) throws -> Set<String> {
        let value = try JSONDecoder().decode([String: ParameterValue].self, from: Data(text.utf8))
        guard let list else { return Set(value.keys) }
        guard case .list(let items)? = value[list], case .table(let first)? = items.first else {
            return []
        }
        return Set(first.keys)
    }

    @Test
    func `--json prints JSON lines only`() throws {
        try Sandbox.with { box in
            let run = try box.moonquake("run", try paused(box), "--json")
            #expect(run.code == 0)
            let lines = run.output.split(separator: "\n")
            #expect(lines.count > 10)
            for line in lines {
                let kind = try JSONDecoder().decode(KindLine.self, from: Data(line.utf8)).kind
                #expect(!kind.isEmpty)
            }
            #expect(lines.contains { $0.contains("\"kind\":\"sample\"") })
            #expect(lines.contains { $0.contains("\"kind\":\"injected\"") })
        }
    }

    private struct KindLine: Decodable { var kind: String }

    @Test
    func `hostile texts are shown escaped`() throws {
        try Sandbox.with { box in
            let run = try box.moonquake("run", try paused(box))
            #expect(run.code == 0)
            let said = run.output + run.errors
            #expect(said.contains("a <script>alert(1)</script> & more"))
            #expect(!said.contains("\u{1B}"), "no escape sequence may reach the terminal")
            #expect(!said.contains("\nline two") && !said.contains("\nin two lines"))
        }
    }

    @Test
    func `a process with a hostile name, and a GameDay with a hostile title, do no harm`() throws {
        try Sandbox.with { box in
            let name = "<b>\u{1b}[31m|\na"
            let code = """
                import time
                open('/proc/self/comm', 'wb').write(b'\(name.replacing("\n", with: "\\n"))')
                print('ready', flush=True)
                time.sleep(600)
                """
            let process = try box.start(["python3", "-c", code])
            #expect(eventually { process.output.contains("ready") }, "\(process.errors)")
            #expect(File.text("/proc/\(process.pid)/comm") == name + "\n")
            let title = "\u{202e}<script>alert(1)</script> ../../x]]>"
            _ = try box.write(
                "x.lua",
                """
                experiment "\(title)" {
                  run = function()
                    inject(fault.process.pause { target = target.process { pid = \(process.pid) } })
                  end,
                }
                """
            )
            let day = try box.write(
                "day.lua",
                "gameday \"\(title)\" { owner = \"\(title)\", experiments = { \"x\" } }"
            )
            let files = ["html", "md", "xml", "json"].map { "\(box.folder)/day.\($0)" }
            let run = try box.moonquake(
                ["gameday", "run", day] + files.flatMap { ["--report", $0] }
            )
            #expect(run.code == 7, "nothing is judged: \(run.errors)")
            let list = try box.moonquake("runs").output
            let pages = try box.tool("find", box.folder, "-name", "*.html", "-o", "-name", "*.md")
                .split(separator: "\n").map(String.init)
            #expect(pages.count >= 4, "\(pages)")
            for text in [run.output, run.errors, list] + (pages + files).compactMap(File.text) {
                #expect(!text.contains("\u{1b}") && !text.contains("|\na"), "\(text)")
            }
            for page in pages + [files[2]] {
                let text = try #require(File.text(page))
                let isMarked = text.contains("<script>alert") || text.contains("<b>\\u{1b}")
                #expect(!isMarked && !text.contains("\u{202e}"), "\(page)")
            }
            #expect(Proc.state(of: process.pid) != "T")
        }
    }

    @Test(arguments: ["x.lua", "x.yaml", "x.json", "day.lua"])
    func `a title that is too long or has a line break is refused in every form`(_ name: String)
        throws
    {
        try Sandbox.with { box in
            for (title, said) in [(String(repeating: "x", count: 300), "200"), ("a\\nb", "a\\nb")] {
                let text =
                    switch name {
                    case "x.lua":
                        "experiment \"\(title)\" { faults = { fault.noop { target = target.host {} } }, duration = \"1s\" }"
                    case "day.lua":
                        "gameday \"\(title)\" { experiments = { \"x\" } }"
                    case "x.yaml":
                        "name: \"\(title)\"\nfaults: [ noop: { target: { host: {} } } ]\nduration: 1s\n"
                    default:
                        "{\"name\": \"\(title)\", \"faults\": [{\"noop\": {\"target\": {\"host\": {}}}}], \"duration\": \"1s\"}"
                    }
                let file = try box.write(name, text)
                let command = name == "day.lua" ? ["gameday", "check"] : ["check"]
                let check = try box.moonquake(command + [file])
                #expect(check.code == 2, "\(check.output)")
                #expect(check.errors.contains("title") || check.errors.contains("name"))
                #expect(check.errors.contains(said), "\(check.errors)")
            }
        }
    }

    @Test
    func `an observation that is refuted shows in the exit code`() throws {
        try Sandbox.with { box in
            let run = try box.moonquake("run", try paused(box, "check_metric('alive > 1')"))
            #expect(run.code == 1)
            #expect(run.output.contains("DEVIATED"))
            #expect(run.output.contains("did not hold"))
            #expect(run.output.contains("paused.lua:12"))
        }
    }

    @Test
    func `an unhealthy baseline touches nothing and is exit code 5`() throws {
        try Sandbox.with { box in
            let sleeper = try box.sleeper()
            let script = try box.write(
                "ill.lua",
                """
                local own = target.process { pid = \(sleeper.pid) }
                experiment "ill" {
                  steady_state = {
                    warmup = "500ms", metrics = { alive = metric.process { target = own, measure = "alive", equals = 2 } },
                  },
                  faults = { fault.process.pause { target = own } }, duration = "1s",
                }
                """
            )
            let run = try box.moonquake("run", script)
            #expect(run.code == 5)
            #expect(!box.hasEverGranted)
        }
    }

    @Test(.root)
    func `nothing is needed of PATH or of any other variable`() throws {
        try Sandbox.with { box in
            let (near, far) = try box.network()
            let before = try box.world(near, far)
            let sleeper = try box.sleeper()
            let script = try box.write(
                "bare.lua",
                HeldFaults.script(near: near, pid: sleeper.pid, then: "wait '200ms'")
            )
            for environment in [[:], ["PATH": ""]] {
                let run = try box.moonquake("run", script, environment: environment)
                #expect(run.code == 7, "nothing was judged: \(run.errors)")
                #expect(try box.lastReport().faults.map(\.outcome) == [.reverted, .reverted])
                try box.expect(before, in: near, far)
            }
        }
    }

    @Test
    func `check says what is well-formed, and --plan what would be hit, without effects`() throws {
        try Sandbox.with { box in
            let script = try paused(box)
            let check = try box.moonquake("check", script)
            #expect(check.code == 0)
            #expect(check.output.contains("is well-formed: 1 fault, 1 metric"))
            let plan = try box.moonquake("check", "--plan", script)
            #expect(plan.code == 0, "\(plan.errors)")
            #expect(plan.output.contains("SIGSTOP") && plan.output.contains("held by journal"))
            #expect(!box.hasEverGranted)
        }
    }

    @Test
    func `a partition without traffic is told and concludes nothing`() throws {
        guard Needs.isRoot else { return }
        try Sandbox.with { box in
            let (near, _) = try box.network()
            let sleeper = try box.sleeper()
            let script = try box.write(
                "idle.lua",
                """
                local alive = metric.process { target = target.process { pid = \(sleeper.pid) }, measure = "alive", equals = 1 }
                experiment "idle" {
                  steady_state = { every = "100ms", metrics = { alive = alive } },
                  faults = { fault.network.partition {
                    target = target.netns { name = "\(near)" }, to = "10.98.0.99", port = 4711,
                  } },
                  duration = "500ms",
                }
                """
            )
            let run = try box.moonquake("run", script)
            #expect(run.code == 7, "\(run.errors)\(run.output)")
            #expect(run.output.contains("no traffic matched"))
        }
    }
}
