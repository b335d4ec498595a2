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
            try approve(day, in: box)
            let code = try day.ended(within: .seconds(240))
            #expect(code == 0, "\(day.output)\(day.errors)")
            let result = try gameDay(report)
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
            let result = try gameDay(report)
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
            let result = try gameDay(report)
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
            #expect(try gameDay(report).experiments.map(\.outcome) == [.held, .deviated, .held])

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
            #expect(ended.code != 0)
            let first = try gameDay(report).experiments[0]
            #expect(first.outcome != .held, "\(ended.output)")
            #expect(try other.ended(within: .seconds(60)) == 1)
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
            try approve(day, in: box)
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

    @Test
    func `the daemon runs what is due and a restart does not run it twice`() throws {
        try Sandbox.with { box in
            let experiment = "inject(fault.noop { target = target.host {} })"
            _ = try box.write("nothing.lua", experiment)
            let file = try box.write(
                "daily.lua",
                "gameday \"often\" { experiments = { \"nothing\" }, schedule = { every = \"2s\" } }"
            )
            #expect(try box.moonquake("gameday", "schedule", file).code == 0)
            let daemon = try box.begin("gameday", "daemon")
            let isStarted = eventually(within: .seconds(60)) {
                File.names(in: box.state + "/gamedays").count >= 1
            }
            #expect(isStarted, "\(daemon.errors)")
            daemon.signal(SIGTERM)
            #expect(try daemon.ended() == 0, "\(daemon.errors)")
            let next = try box.moonquake("gameday", "next")
            #expect(next.output.contains("last: "), "\(next.output)")
            #expect(try box.moonquake("gameday", "unschedule", file).code == 0)
            #expect(
                try box.moonquake("gameday", "next").output.contains("no GameDay is registered")
            )
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

    private func approve(_ day: Program, in box: Sandbox) throws {
        let isAsked = eventually(within: .seconds(60)) { day.errors.contains("moonquake approve") }
        try #require(isAsked, "\(day.output)\(day.errors)")
        let yes = try box.moonquake("approve", "--comment", "go")
        #expect(yes.code == 0, "\(yes.errors)")
    }

    private func gameDay(_ path: String) throws -> GameDayReport {
        try WireJSON.value(GameDayReport.self, from: try #require(File.text(path)))
    }
}

/// A web server in a namespace, and experiments on the way to it.
private struct Site {
    let box: Sandbox
    let near: String

    init(_ box: Sandbox) throws {
        self.box = box
        let (near, far) = try box.network()
        self.near = near
        let configuration = try box.write(
            "nginx.conf",
            """
            daemon off; master_process off; pid \(box.folder)/nginx.pid; error_log stderr crit;
            events { worker_connections 512; }
            http {
                access_log off; client_body_temp_path \(box.folder)/b; proxy_temp_path \(box.folder)/p;
                fastcgi_temp_path \(box.folder)/f; uwsgi_temp_path \(box.folder)/u; scgi_temp_path \(box.folder)/s;
                server { listen 10.98.0.2:8080; location / { return 200 "ok"; } }
            }
            """
        )
        try box.start(
            ["/usr/sbin/nginx", "-p", box.folder, "-e", "stderr", "-c", configuration],
            in: far
        )
        try write("slow", fault: "fault.network.latency { delay = \"5ms\", \(target) }")
        try write("slower", fault: "fault.network.latency { delay = \"9ms\", \(target) }")
        try write("thrice", fault: "fault.network.duplicate { percent = \"30%\", \(target) }")
        try write("twice", fault: "fault.network.duplicate { percent = \"20%\", \(target) }")
        try write("cut", fault: "fault.network.partition { \(target) }")
        try write("long", fault: "fault.network.partition { \(target) }", wait: "6s")
        try write("abort", fault: "fault.network.partition { \(target) }", abortAbove: "50%")
    }

    var target: String { "target = target.netns { name = \"\(near)\" }, to = \"10.98.0.2\"" }

    func write(
        _ name: String,
        fault: String,
        wait: String = "2s",
        abortAbove: String? = nil
    ) throws {
        let abort = abortAbove.map { ", abort_above = \"\($0)\"" } ?? ""
        _ = try box.write(
            "\(name).lua",
            """
            experiment "\(name)" {
              steady_state = { every = "200ms", warmup = "1s", recovery = "20s", metrics = {
                error_rate = metric.http {
                  url = "http://10.98.0.2:8080/", netns = "\(near)", rate = "20/s", timeout = "300ms", window = "1s",
                  below = "10%"\(abort),
                } } },
              run = function() inject(\(fault)) wait "\(wait)" end,
            }
            """
        )
    }

    func gameDay(experiments: [String], _ rest: String = "") throws -> String {
        let names = experiments.map { "\"\($0)\"" }.joined(separator: ", ")
        return try box.write(
            "gameday.lua",
            "gameday \"the site\" { experiments = { \(names) }, \(rest) }"
        )
    }
}
