// GameDays with the real program: on the services of scripts/practice.sh, and on a web server in a namespace.

import ChaosGameDay
import ChaosModel
import Glibc
import Testing

@Suite(.serialized, .root)
struct PlaybookTests {
    @Test
    func `a GameDay of five experiments on real services runs end to end, once it is approved`()
        throws
    {
        try Sandbox.with { box in
            let practice = try box.practice()
            let report = box.folder + "/day.json"
            let day = try box.begin(
                "gameday",
                "run",
                box.folder + "/gamedays/shop-rehearsal.lua",
                "--report",
                report
            )
            try box.approve(day)
            let code = try day.ended(within: .seconds(240))
            #expect(code == 0, "\(day.output)\(day.errors)")
            let result = try box.gameDay(report)
            #expect(result.passed)
            #expect(result.experiments.map(\.outcome) == Array(repeating: .held, count: 5))
            #expect(result.gates.map(\.outcome) == ["approved"])
            #expect(result.gates[0].answers.map(\.comment) == ["go"])
            #expect(result.timeline.filter { $0.kind == "health" }.count == 5)
            for row in result.experiments {
                #expect(
                    File.text(try #require(row.reportFile)) != nil,
                    "\(row.title) has no report"
                )
            }
            #expect(try box.hasNoTableOfOurs(practice.web))
        }
    }

    @Test
    func `one of five deviates: the others run, the day fails and says what was measured`()
        throws
    {
        try Sandbox.with { box in
            let site = try Site(box)
            let names = ["slow", "cut", "twice", "slower", "thrice"]
            let file = try site.gameDay(experiments: names)
            let report = box.folder + "/day.json"
            let files = ["day.html", "day.md", "day.xml"].map { "\(box.folder)/\($0)" }
            let more = ([report] + files).flatMap { ["--report", $0] }
            let ended = try box.moonquake(["gameday", "run", file] + more)
            #expect(ended.code == 1, "\(ended.output)\(ended.errors)")
            let result = try box.gameDay(report)
            #expect(result.experiments.map(\.outcome) == [.held, .deviated, .held, .held, .held])
            try expectLinks(to: result, in: box)
            let again = try box.moonquake("report", result.gameDayID)
            #expect(again.code == 0 && again.output == ended.output, "\(again.errors)")
            let advice = try #require(result.recommendations.first)
            #expect(advice.metric == "error_rate")
            #expect(advice.finding.contains("network.partition"))
            #expect(advice.finding.contains("after the rollback"))
            #expect(ended.output.contains("did not pass: 4 of 5 experiments held"))
            #expect(try box.hasNoTableOfOurs(site.near))
        }
    }

    @Test
    func
        `one of five is aborted by its threshold: the rest is skipped and the report is written`()
        throws
    {
        try Sandbox.with { box in
            let site = try Site(box)
            let names = ["slow", "twice", "abort", "slower", "thrice"]
            let file = try site.gameDay(experiments: names)
            let report = box.folder + "/day.json"
            let ended = try box.moonquake("gameday", "run", file, "--report", report)
            #expect(ended.code == 3, "\(ended.output)\(ended.errors)")
            let result = try box.gameDay(report)
            #expect(result.status == .halted)
            #expect(
                result.experiments.map(\.outcome) == [.held, .held, .aborted, .skipped, .skipped]
            )
            #expect(try box.hasNoTableOfOurs(site.near))
        }
    }

    @Test
    func `killed with -9 in the middle, all is reverted and --resume goes on after what had ended`()
        throws
    {
        try Sandbox.with { box in
            let site = try Site(box)
            let file = try site.gameDay(experiments: ["slow", "long", "twice"])
            let day = try box.begin("gameday", "run", file)
            let isCut = eventually(within: .seconds(60)) {
                day.errors.contains("injected network.partition")
            }
            #expect(isCut, "\(day.errors)")
            day.signal(SIGKILL)
            #expect(eventually { (try? box.hasNoTableOfOurs(site.near)) == true })

            let report = box.folder + "/day.json"
            let ended = try box.moonquake("gameday", "run", "--resume", file, "--report", report)
            #expect(ended.code == 1, "\(ended.output)\(ended.errors)")
            #expect(!ended.errors.contains("experiment \"slow\" begins"))
            #expect(ended.errors.contains("experiment \"long\" begins"))
            #expect(
                try box.gameDay(report).experiments.map(\.outcome) == [.held, .deviated, .held]
            )

            let again = try box.moonquake("gameday", "run", "--resume", file)
            #expect(again.code == 2)
            #expect(again.errors.contains("nothing to resume"))
        }
    }

    @Test
    func `a GameDay that runs is not run twice, nor resumed`() throws {
        try Sandbox.with { box in
            let site = try Site(box)
            let file = try site.gameDay(experiments: ["slow"], "approval = \"day\",")
            let day = try box.begin("gameday", "run", file)
            #expect(eventually(within: .seconds(30)) { day.errors.contains("moonquake approve") })
            for more in [[], ["--resume"]] {
                let second = try box.moonquake(["gameday", "run", file] + more)
                #expect(second.code == 2)
                #expect(second.errors.contains("this GameDay runs already (process \(day.pid))"))
            }
            day.signal(SIGTERM)
            #expect(try day.ended(within: .seconds(30)) == 130)
        }
    }

    @Test
    func `an experiment whose target another run holds is refused, and the day says by whom`()
        throws
    {
        try Sandbox.with { box in
            let site = try Site(box)
            let file = try site.gameDay(experiments: ["slow", "twice"])
            let other = try box.begin("run", "\(box.folder)/long.lua")
            let isHeld = eventually(within: .seconds(60)) {
                other.errors.contains("injected network.partition")
            }
            #expect(isHeld, "\(other.errors)")
            let report = box.folder + "/day.json"
            let ended = try box.moonquake("gameday", "run", file, "--report", report)
            #expect(ended.code == 2, "\(ended.output)\(ended.errors)")
            let first = try box.gameDay(report).experiments[0]
            #expect(first.outcome == .failed, "\(ended.output)")
            #expect(try other.ended(within: .seconds(60)) == 1)
            let named = first.reason.firstMatch(of: /is held by run ([0-9a-f-]+):/)
            let holder = try #require(named?.1, "\(first.reason)")
            let text = try #require(File.text("\(box.state)/runs/\(holder).json"))
            #expect(try WireJSON.value(RunReport.self, from: text).definition.name == "long")
        }
    }

    @Test
    func `killed with -9 at a gate, --resume asks again, and an answer given meanwhile counts`()
        throws
    {
        try Sandbox.with { box in
            let file = try box.harmlessDay("approval = \"day\", approvers = 2")
            let day = try box.begin("gameday", "run", file)
            #expect(eventually { day.errors.contains("moonquake approve") }, "\(day.errors)")
            #expect(try box.moonquake("approve", environment: box.person("ada")).code == 0)
            day.signal(SIGKILL)
            let report = box.folder + "/day.json"
            let again = try box.begin("gameday", "run", "--resume", file, "--report", report)
            #expect(eventually { again.errors.contains("moonquake approve") }, "\(again.errors)")
            #expect(try box.moonquake("approve", environment: box.person("grace")).code == 0)
            #expect(try again.ended(within: .seconds(30)) == 0, "\(again.errors)")
            let gates = try box.gameDay(report).gates
            #expect(gates.map(\.outcome) == ["approved"])
            #expect(gates[0].answers.map(\.who).sorted() == ["ada", "grace"])
        }
    }

    @Test
    func `one person who approves twice is one, and the audit trail says who, when and what`()
        throws
    {
        try Sandbox.with { box in
            let file = try box.harmlessDay("approval = \"each\", approvers = 2")
            let report = box.folder + "/day.json"
            let day = try box.begin("gameday", "run", file, "--report", report)
            for gate in 1...2 {
                #expect(eventually { day.errors.contains("-gate\(gate)") }, "\(day.errors)")
                let yes = ["approve", "--comment", "seen \(gate)"]
                #expect(try box.moonquake(yes, environment: box.person("ada")).code == 0)
                let twice = try box.moonquake(yes, environment: box.person("ada"))
                #expect(twice.code == 2 && twice.errors.contains("ada has answered already"))
                #expect(!day.errors.contains("experiment \"\(gate == 1 ? "one" : "two")\" was"))
                #expect(try box.moonquake(yes, environment: box.person("grace")).code == 0)
            }
            #expect(try day.ended(within: .seconds(30)) == 0, "\(day.errors)")
            let result = try box.gameDay(report)
            #expect(
                result.gates.map(\.gate.subject) == ["experiment \"one\"", "experiment \"two\""]
            )
            for (index, record) in result.gates.enumerated() {
                #expect(record.answers.map(\.who).sorted() == ["ada", "grace"])
                #expect(record.answers.allSatisfy { $0.comment == "seen \(index + 1)" })
                #expect(record.answers.allSatisfy { $0.planDigest == result.planDigest })
                #expect(
                    record.answers.allSatisfy {
                        ($0.at - record.gate.openedAt >= 0) && $0.at <= record.decidedAt
                    }
                )
            }
        }
    }

    @Test
    func `a webhook that hangs delays neither the abort nor the revert, and the report says so`()
        throws
    {
        try Sandbox.with { box in
            let site = try Site(box)
            let port = try box.freePorts(1)
            // It accepts and never answers.
            let hang = """
                import socket, time
                s = socket.create_server(("127.0.0.1", \(port)))
                print("ready", flush=True)
                kept = []
                while True: kept.append(s.accept())
                """
            let silent = try box.start(["python3", "-c", hang])
            #expect(eventually { silent.output.contains("ready") }, "\(silent.errors)")
            let told = box.folder + "/told"
            let file = try site.gameDay(
                experiments: ["abort", "slow"],
                """
                notify = {
                  notify.webhook "http://127.0.0.1:\(port)/",
                  notify.command { run = { "/bin/dd", "status=none", "oflag=append", "conv=notrunc", "of=\(told)" } },
                }
                """
            )
            let report = box.folder + "/day.json"
            let arguments = ["gameday", "run", file, "--report", report]
            let ended = try box.moonquake(arguments, within: .seconds(120))
            #expect(ended.code == 3, "\(ended.output)\(ended.errors)")
            #expect(ended.took < .seconds(90), "it waits 40 seconds for notices, at most")
            let day = try box.gameDay(report)
            let began = try #require(day.timeline.first?.at)
            let baseline = try #require(day.timeline.first { $0.runID != nil }?.at)
            #expect(baseline - began < 2, "the day waited for who is told that it begins")
            let stop = try #require(day.timeline.first { $0.kind == "stop" }?.at)
            let reverted = try #require(day.timeline.first { $0.kind == "reverted" }?.at)
            print("a hanging webhook: reverted \(Int((reverted - stop) * 1000)) ms after the abort")
            #expect(reverted - stop < 1)
            #expect(try box.hasNoTableOfOurs(site.near))

            let kinds: [Notice.Kind] = [.starting, .aborted, .ended]
            let hung = day.notifications.filter { $0.notifier.contains("webhook") }
            #expect(hung.map(\.kind) == kinds)
            #expect(hung.map(\.attempts).first == 3)
            #expect(hung.allSatisfy { $0.failure != nil }, "\(hung)")
            let commands = day.notifications.filter { !$0.notifier.contains("webhook") }
            #expect(commands.map(\.kind) == kinds && commands.allSatisfy { $0.failure == nil })
            let lines = try #require(File.text(told)).split(separator: "\n")
            let notices = try lines.map { try WireJSON.value(Notice.self, from: String($0)) }
            #expect(notices.map(\.kind) == kinds)
            #expect(notices[1].text.contains("experiment \"abort\" aborted: "))
        }
    }

    @Test
    func `an unhealthy system is waited for, and one that does not recover halts the day`() throws {
        try Sandbox.with { box in
            let port = try box.freePorts(1)
            let health = """
                health = steady_state { every = "100ms", metrics = {
                  errors = metric.http {
                    url = "http://127.0.0.1:\(port)/", rate = "20/s", timeout = "500ms", window = "1s", below = "1%",
                  } } }
                """
            let names = ["one", "two"]
            let hasty = try box.harmlessDay("recovery = \"2s\", \(health)", experiments: names)
            let report = box.folder + "/day.json"
            let halted = try box.moonquake("gameday", "run", hasty, "--report", report)
            #expect(halted.code == 3, "\(halted.output)\(halted.errors)")
            let reason = try #require(try box.gameDay(report).reasons.first)
            #expect(reason.hasPrefix("not healthy before \"one\": errors is 100%"), "\(reason)")
            #expect(try box.gameDay(report).experiments.map(\.outcome) == [.skipped, .skipped])
            #expect(File.names(in: box.state + "/runs").isEmpty)

            let patient = try box.harmlessDay("recovery = \"1m\", \(health)", experiments: names)
            let day = try box.begin("gameday", "run", patient, "--report", report)
            #expect(eventually { day.errors.contains("the GameDay begins") })
            let server = ["python3", "-m", "http.server", "--bind", "127.0.0.1", "\(port)"]
            try box.start(server + ["--directory", box.folder])
            #expect(try day.ended(within: .seconds(60)) == 0, "\(day.output)\(day.errors)")
            let timeline = try box.gameDay(report).timeline.filter { $0.kind == "health" }
            #expect(timeline.count == 2 && timeline[0].text.hasPrefix("healthy after "))
        }
    }

    @Test
    func `a changed experiment is not resumed`() throws {
        try Sandbox.with { box in
            let site = try Site(box)
            let file = try site.gameDay(experiments: ["long", "twice"])
            let day = try box.begin("gameday", "run", file)
            #expect(
                eventually(within: .seconds(60)) {
                    day.errors.contains("injected network.partition")
                }
            )
            day.signal(SIGKILL)
            try site.write(
                "twice",
                fault: "fault.network.duplicate { percent = \"2%\", \(site.target) }"
            )
            let ended = try box.moonquake("gameday", "run", "--resume", file)
            #expect(ended.code == 2)
            #expect(ended.errors.contains("has changed since"))
        }
    }

    @Test
    func `with no terminal and no answer a gate neither hangs nor approves itself`() throws {
        try Sandbox.with { box in
            let site = try Site(box)
            let rule = "approval = \"day\", approval_timeout = \"1s\","
            let file = try site.gameDay(experiments: ["slow"], rule)
            let ended = try box.moonquake("gameday", "run", file)
            #expect(ended.code == 3, "\(ended.output)\(ended.errors)")
            #expect(ended.took < .seconds(20))
            #expect(ended.output.contains("was not approved by 1 within 1s"))
            #expect(File.names(in: box.state + "/runs").isEmpty)
        }
    }

    @Test
    func `an experiment edited while the gate waits is refused`() throws {
        try Sandbox.with { box in
            let site = try Site(box)
            let file = try site.gameDay(experiments: ["slow"], "approval = \"day\",")
            let day = try box.begin("gameday", "run", file)
            let isAsked = eventually(within: .seconds(30)) {
                day.errors.contains("moonquake approve")
            }
            #expect(isAsked)
            try site.write(
                "slow",
                fault: "fault.network.latency { delay = \"9s\", \(site.target) }"
            )
            try box.approve(day)
            #expect(try day.ended(within: .seconds(30)) == 2)
            #expect(day.output.contains("has changed since the day began"))
            #expect(File.names(in: box.state + "/runs").isEmpty)
        }
    }

    @Test
    func `a rejection from elsewhere halts the day and is in its report`() throws {
        try Sandbox.with { box in
            let site = try Site(box)
            let file = try site.gameDay(experiments: ["slow"], "approval = \"each\",")
            let day = try box.begin("gameday", "run", file)
            #expect(eventually(within: .seconds(30)) { day.errors.contains("moonquake approve") })
            let no = try box.moonquake("reject", "--comment", "the freeze began")
            #expect(no.code == 0, "\(no.errors)")
            #expect(try day.ended(within: .seconds(30)) == 3)
            #expect(day.output.contains("was rejected by root (\"the freeze began\")"))
        }
    }

    // MARK: Steps

    /// Each report of a day links to those of its experiments, which are there.
    private func expectLinks(to day: GameDayReport, in box: Sandbox) throws {
        for ending in ["html", "md"] {
            let text = try #require(File.text("\(box.folder)/day.\(ending)"))
            for run in day.experiments.compactMap(\.runID) {
                #expect(text.contains("./day.runs/\(run).\(ending)"))
                let linked = File.text("\(box.folder)/day.runs/\(run).\(ending)") ?? ""
                #expect(linked.contains(run), "\(run) is not there")
            }
        }
        let suite = File.text("\(box.folder)/day.xml") ?? ""
        #expect(suite.contains("tests=\"6\" failures=\"2\" errors=\"0\" skipped=\"0\""))
    }
}
