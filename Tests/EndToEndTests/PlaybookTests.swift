// GameDays with the real program: on the services of scripts/practice.sh, and on a web server in a namespace.

import ChaosGameDay
import ChaosModel
import Glibc
import TestSupport
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
            try expectOneAtATime(result)
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
    func `moonquake abort in the second of five ends that and skips the rest`() throws {
        try Sandbox.with { box in
            let site = try Site(box)
            let file = try site.gameDay(experiments: ["slow", "long", "twice", "slower", "thrice"])
            let report = box.folder + "/day.json"
            let day = try box.begin("gameday", "run", file, "--report", report)
            let isCut = eventually(within: .seconds(60)) {
                day.errors.contains("injected network.partition")
            }
            #expect(isCut, "\(day.errors)")
            let abort = try box.moonquake("abort")
            #expect(try box.hasNoTableOfOurs(site.near), "it must not return before")
            #expect(abort.code == 0 && abort.output.contains("reverted  network.partition"))
            #expect(!abort.output.contains("halted"), "the day halts by its aborted experiment")
            #expect(try day.ended(within: .seconds(60)) == 3, "\(day.errors)")
            #expect(
                try box.gameDay(report).experiments.map(\.outcome) == [
                    .held, .aborted, .skipped, .skipped, .skipped,
                ]
            )
        }
    }

    @Test
    func `moonquake abort between two experiments halts the day`() throws {
        try Sandbox.with { box in
            let file = try box.harmlessDay("pause = \"10m\"")
            let report = box.folder + "/day.json"
            let day = try box.begin("gameday", "run", file, "--report", report)
            let isOver = eventually(within: .seconds(30)) {
                day.errors.contains("experiment \"one\": held")
            }
            #expect(isOver, "\(day.errors)")
            let abort = try box.moonquake("abort", "--all")
            #expect(abort.code == 0, "\(abort.errors)")
            #expect(
                abort.output
                    == "halted  the GameDay of process \(day.pid), between two experiments\n"
            )
            #expect(try day.ended(within: .seconds(30)) == 130, "\(day.errors)")
            #expect(try box.gameDay(report).experiments.map(\.outcome) == [.held, .skipped])
            #expect(try box.moonquake("abort", "--all").output == "")
        }
    }

    @Test
    func `a fault that cannot be put back halts the day, and recover does it later`() throws {
        try Sandbox.with { box in
            let target = try NameFileTests.Target(in: box)
            let before = try target.state()
            let file = try box.harmlessDay("", experiments: ["files", "two"])
            _ = try target.script(
                "spoof { TARGET, names = 'a.test', addresses = '192.0.2.9', method = 'hosts' }",
                hold: "3s"
            )
            let report = box.folder + "/day.json"
            let day = try box.begin("gameday", "run", file, "--report", report)
            #expect(eventually(within: .seconds(30)) { day.errors.contains("injected dns.spoof") })
            let inside = ["nsenter", "-t", "\(target.process.pid)", "-m", "sh", "-c"]
            let lock = "mount --bind /etc/hosts /etc/hosts && mount -o remount,bind,ro /etc/hosts"
            #expect(try box.start(inside + [lock]).ended() == 0)
            #expect(try day.ended(within: .seconds(60)) == 4, "\(day.output)\(day.errors)")
            let result = try box.gameDay(report)
            #expect(result.status == .halted)
            #expect(result.experiments.map(\.outcome) == [.leaked, .skipped])
            #expect(result.experiments.map(\.restoration) == [.leaked, nil])
            #expect(result.experiments[1].reason.hasPrefix("experiment \"files\" leaked: "))

            #expect(try box.start(inside + ["umount /etc/hosts"]).ended() == 0)
            #expect(try box.moonquake("recover").code == 0)
            #expect(try target.state() == before)
        }
    }

    @Test
    func `a function that never comes back is ended by a signal, also in the moment it begins`()
        throws
    {
        try Sandbox.with { box in
            let file = try box.harmlessDay("run = function(day) while true do end end")
            for _ in 0..<10 {
                let day = try box.begin("gameday", "run", file)
                #expect(eventually { day.errors.contains("the GameDay begins") }, "\(day.errors)")
                day.signal(SIGTERM)
                #expect(try day.ended(within: .seconds(20)) == 130, "\(day.errors)")
                #expect(day.output.contains("skipped"), "\(day.output)")
            }
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

    // MARK: Steps

    /// Each experiment has a report of its own, came to its post-validation, and began after the one before had ended.
    private func expectOneAtATime(_ day: GameDayReport) throws {
        var end = 0.0
        for row in day.experiments {
            let path = try #require(row.reportFile, "\(row.title)")
            let text = try #require(File.text(path), "\(row.title)")
            let run = try WireJSON.value(RunReport.self, from: text)
            #expect(run.phases.map(\.phase).contains(.postValidation), "\(row.title)")
            let began = try #require(Timestamp.seconds(run.startedAt))
            #expect(began >= end, "\(row.title)")
            end = try #require(Timestamp.seconds(run.endedAt))
            #expect(end > began)
        }
    }

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
