// Dry runs touch nothing and tell what a run would have met; the history keeps what runs leave.

import ChaosModel
import Glibc
import Testing

@Suite(.serialized)
struct DryRunTests {
    private func document(_ pid: pid_t, healthy: String = "equals: 1", name: String = "x") -> String
    {
        """
        name: \(name)
        owner: shop
        tags: [nightly]
        steady_state:
          every: 100ms
          warmup: 300ms
          metrics:
            alive:
              process: { target: { process: { pid: \(pid) } }, measure: alive, \(healthy) }
        faults:
          - process.pause: { target: { process: { pid: \(pid) } } }
        duration: 300ms
        """
    }

    @Test
    func `a dry run samples, resolves and plans, and touches nothing`() throws {
        try Sandbox.with { box in
            let sleeper = try box.sleeper()
            let script = try box.write("x.yaml", document(sleeper.pid))
            let run = try box.moonquake("run", "--dry-run", script)
            #expect(run.code == 0, "\(run.errors)\(run.output)")
            #expect(run.errors.contains("stops process \(sleeper.pid)"), "\(run.errors)")
            #expect(!box.hasEverGranted)
            let report = try box.lastReport()
            #expect(report.mode == .dryRun && report.verdict == .inconclusive)
            #expect(report.faults.isEmpty && report.targets.isEmpty)
            #expect((report.metrics.first?.samples.count ?? 0) >= 2)
            #expect(report.reasons.first?.hasPrefix("dry run: ") == true)
            #expect(report.phases.map(\.phase).contains(.baseline))
        }
    }

    @Test
    func `a dry run of a plain script samples what the script would declare`() throws {
        try Sandbox.with { box in
            let sleeper = try box.sleeper()
            let script = try box.write(
                "x.lua",
                """
                local own = target.process { pid = \(sleeper.pid) }
                steady_state { every = "100ms", warmup = "200ms",
                  metrics = { alive = metric.process { target = own, measure = "alive", equals = 1 } } }
                inject(fault.process.pause { target = own })
                wait "1h"
                """
            )
            let run = try box.moonquake("run", "--dry-run", script)
            #expect(run.code == 0, "\(run.errors)\(run.output)")
            #expect((try box.lastReport().metrics.first?.samples.count ?? 0) >= 2)
            #expect(!box.hasEverGranted)
        }
    }

    @Test
    func `a dry run ends as a run would have`() throws {
        try Sandbox.with { box in
            let sleeper = try box.sleeper()
            let unhealthy = try box.write("x.yaml", document(sleeper.pid, healthy: "equals: 0"))
            #expect(try box.moonquake("run", "--dry-run", unhealthy).code == 5)
            let text = document(sleeper.pid).replacing(
                "process.pause: { target: { process: { pid: \(sleeper.pid) } } }",
                with: "process.pause: { target: { process: { name: no-such-program } } }"
            )
            let gone = try box.write("gone.yaml", text)
            let run = try box.moonquake("run", "--dry-run", gone)
            #expect(run.code == 2, "\(run.errors)")
            #expect((run.errors + run.output).contains("no-such-program"))
            #expect(!box.hasEverGranted)
        }
    }

    @Test
    func `a dry run that cannot begin has the exit code and the reason of the run`() throws {
        try Sandbox.with { box in
            let (free, held) = (try box.sleeper(), try box.sleeper())
            let holder = try box.write("holder.yaml", document(held.pid, name: "holder"))
            try File.write(
                document(held.pid, name: "holder").replacing(
                    "duration: 300ms",
                    with: "duration: 60s"
                ),
                to: holder
            )
            let other = try box.begin("run", holder)
            try box.injected(1, by: other)
            let target = "process.pause: { target: { process: { pid: \(free.pid) } } }"
            func faults(_ selector: String) -> String {
                document(free.pid).replacing(
                    target,
                    with: "process.pause: { target: { process: { \(selector) } } }"
                )
            }
            let cases: [(text: String, flags: [String], code: Int32)] = [
                (document(free.pid, healthy: "equals: 0"), [], 5),
                (document(held.pid), [], 2),
                (faults("pid: 1"), [], 2),
                (faults("name: no-such-program"), [], 2),
                (faults("pid: \(free.pid), percent: 20%"), [], 2),
                (document(free.pid), ["--limit", "forbid_faults=process.*"], 2),
            ]
            for (text, flags, code) in cases {
                let script = try box.write("x.yaml", text)
                let file = box.folder + "/x.json"
                let reasons = try [["--dry-run"], []].map { mode in
                    unlink(file)
                    let run = try box.moonquake(["run", script, "--report", file] + mode + flags)
                    #expect(run.code == code, "\(mode) \(text): \(run.errors)")
                    let report = try WireJSON.value(
                        RunReport.self,
                        from: try #require(File.text(file))
                    )
                    return report.reasons.first
                }
                #expect(reasons[0] != nil && reasons[0] == reasons[1], "\(reasons)")
            }
            #expect(Proc.state(of: free.pid) == "S")
            other.signal(SIGINT)
            #expect(try other.ended() == 130)
        }
    }

    @Test(.ordinaryUser)
    func `a dry run tells a missing privilege`() throws {
        try Sandbox.with { box in
            let script = try box.write(
                "x.json",
                """
                { "name": "x", "duration": "1s", "faults": [
                  { "network.partition": { "target": { "host": {} }, "to": "10.98.0.9" } } ] }
                """
            )
            let run = try box.moonquake("run", "--dry-run", script, asNobody: true)
            #expect(run.code == 6, "\(run.errors)\(run.output)")
            #expect(run.errors.contains("CAP_NET_ADMIN") || run.output.contains("CAP_NET_ADMIN"))
        }
    }

    @Test
    func `a past run is shown in any format, listed, and compared`() throws {
        try Sandbox.with { box in
            let sleeper = try box.sleeper()
            let hostile =
                "\"<script>alert(1)</script> ../../x \(String(repeating: "y", count: 150))\""
            let script = try box.write("x.yaml", document(sleeper.pid, name: hostile))
            let files = ["r.html", "r.md", "r.xml", "r.json"].map { "\(box.folder)/\($0)" }
            let run = try box.moonquake(["run", script] + files.flatMap { ["--report", $0] })
            #expect(run.code == 0, "\(run.errors)\(run.output)")
            for file in files.prefix(3) {
                let text = File.text(file) ?? ""
                #expect(!text.isEmpty && !text.contains("<script"), "\(file)")
            }
            for file in files {
                let again = file.replacing("/r.", with: "/again.")
                #expect(try box.moonquake("report", "last", "--report", again).code == 0)
                #expect(File.text(again) == File.text(file), "\(file)")
            }
            let other = try box.write("other.yaml", document(sleeper.pid, name: "other"))
            #expect(try box.moonquake("run", other).code == 0)
            let list = try box.moonquake("runs")
            #expect(list.output.split(separator: "\n").count == 2, "\(list.output)")
            let chosen = try box.moonquake(
                "runs",
                "--name",
                "other",
                "--owner",
                "shop",
                "--since",
                "1h"
            )
            #expect(chosen.output.split(separator: "\n").count == 1, "\(chosen.output)")
            #expect(try box.moonquake("runs", "--verdict", "deviated").output == "")
            #expect(
                try box.moonquake("runs", "--tag", "nightly", "--limit", "1").output.contains(
                    "other"
                )
            )
            let ids = list.output.split(separator: "\n").compactMap {
                $0.split(separator: " ").first
            }
            let compared = try box.moonquake("report", String(ids[1]), String(ids[0]))
            #expect(compared.output.contains("note: these are runs of two experiments"))
            #expect(compared.output.contains("alive during, mean"), "\(compared.output)")
        }
    }

    @Test
    func `a torn record is told and left alone, and a history that cannot be written costs no run`()
        throws
    {
        try Sandbox.with { box in
            let sleeper = try box.sleeper()
            let script = try box.write("x.yaml", document(sleeper.pid))
            #expect(try box.moonquake("run", script).code == 0)
            let torn = "\(box.state)/runs/20200101-000000-000000.json"
            try File.write("{\"schema_version\":1,\"run_id\":", to: torn)
            let foreign = "\(box.state)/runs/20200101-000001-000000.json"
            try File.write("{\"schema_version\":99}", to: foreign)
            let list = try box.moonquake("runs")
            #expect(list.code == 0 && list.output.split(separator: "\n").count == 1)
            #expect(list.errors.contains("is torn or no report of Moonquake; it is left alone"))
            let shown = try box.moonquake("report", "20200101-000000-000000")
            #expect(shown.code == 2, "\(shown.errors)")
            #expect(File.text(torn) == "{\"schema_version\":1,\"run_id\":")
            #expect(File.text(foreign) == "{\"schema_version\":99}")
            // A file where the folder should be: the run goes on, and says that it is in no history.
            rename("\(box.state)/runs", "\(box.state)/kept")
            try File.write("", to: "\(box.state)/runs")
            let run = try box.moonquake("run", script)
            #expect(run.code == 0, "\(run.errors)")
            #expect(run.errors.contains("this run is not in the history"), "\(run.errors)")
        }
    }

    @Test
    func `two runners on one state directory do not disturb each other`() throws {
        try Sandbox.with { box in
            let script = try box.write("a.yaml", document(try box.sleeper().pid, name: "one"))
            let other = try box.write("b.yaml", document(try box.sleeper().pid, name: "two"))
            let programs = try [box.begin("run", script), box.begin("run", other)]
            for program in programs {
                #expect(try program.ended(within: .seconds(60)) == 0, "\(program.errors)")
            }
            let list = try box.moonquake("runs")
            #expect(list.output.contains("one") && list.output.contains("two"), "\(list.output)")
            #expect(list.output.split(separator: "\n").count == 2)
        }
    }
}
