// An ordinary user runs process faults on own processes and every probe; what needs root says which capability and why.

import ChaosModel
import Glibc
import TestSupport
import Testing

@Suite(.serialized, .ordinaryUser)
struct OrdinaryUserTests {
    private static let user = [
        "setpriv", "--reuid", "\(nobody)", "--regid", "\(nobody)", "--clear-groups", "--",
    ]

    @Test
    func `own processes can be paused and killed, and every probe works`() throws {
        try Sandbox.with { box in
            let port = try box.freePorts(1)
            let server = try box.start(
                Self.user + [
                    "/usr/bin/python3", "-m", "http.server", "--bind", "127.0.0.1", "--directory",
                    box.folder, "\(port)",
                ]
            )
            let paused = try box.start(Self.user + ["sleep", "602"])
            let killed = try box.start(Self.user + ["sleep", "603"])
            let script = try box.write(
                "user.lua",
                """
                local own = target.process { pid = \(paused.pid) }
                steady_state {
                  every = "200ms", warmup = "1s",
                  metrics = {
                    http    = metric.http { url = "http://127.0.0.1:\(port)/", rate = "10/s", below = "1%" },
                    tcp     = metric.tcp { address = "127.0.0.1:\(port)", rate = "10/s", below = "1%" },
                    alive   = metric.process { target = own, measure = "alive", equals = 1 },
                    answer  = metric.command { run = { "echo", "42" }, equals = 42 },
                    sums_up = metric.lua(function() return 1 + 1 end),
                  },
                }
                local pause = inject(fault.process.pause { target = own })
                inject(fault.process.kill { target = target.process { pid = \(killed.pid) } })
                wait "1s"
                check_metric("http < 1% and tcp < 1% and alive == 1 and answer == 42 and sums_up == 2")
                rollback(pause)
                """
            )
            #expect(
                eventually {
                    (try? box.start(["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/\(port)"]).ended())
                        == 0
                }
            )
            let run = try box.moonquake("run", script, asNobody: true)
            #expect(run.code == 0, "\(run.errors)\(run.output)")
            let report = try box.lastReport(asNobody: true)
            #expect(report.verdict == .held)
            #expect(report.faults.map(\.name) == ["process.pause", "process.kill"])
            #expect(report.metrics.allSatisfy { $0.during.count > 0 })
            #expect(Proc.state(of: paused.pid) != "T")
            #expect(killed.exitCode == 128 + SIGKILL)
            #expect(server.exitCode == nil)
        }
    }

    @Test
    func `a partition says which capability is missing and why, and nothing is touched`() throws {
        try Sandbox.with { box in
            let (near, _) = try box.network()
            for target in ["target.netns { name = \"\(near)\" }", "target.host {}"] {
                let script = try box.write(
                    "cut.lua",
                    "inject(fault.network.partition { target = \(target), to = \"10.98.0.2\" })"
                )
                let run = try box.moonquake("run", script, asNobody: true)
                #expect(run.code == 6, "\(run.errors)\(run.output)")
                let said = run.errors + run.output
                #expect(said.contains("CAP_NET_ADMIN") || said.contains("CAP_SYS_ADMIN"), "\(said)")
                #expect(box.openJournals(asNobody: true).isEmpty)
            }
        }
    }

    @Test
    func `a process of root cannot be paused by an ordinary user, and CAP_KILL is named`() throws {
        try Sandbox.with { box in
            let sleeper = try box.sleeper()
            let script = try box.write(
                "pause.lua",
                "inject(fault.process.pause { target = target.process { pid = \(sleeper.pid) } })"
            )
            let run = try box.moonquake("run", script, asNobody: true)
            #expect(run.code == 6, "\(run.errors)\(run.output)")
            #expect((run.errors + run.output).contains("CAP_KILL"))
            #expect(Proc.state(of: sleeper.pid) != "T")
        }
    }

    @Test
    func `recover after a crash of an ordinary user's run works as that user`() throws {
        try Sandbox.with { box in
            let paused = try box.start(Self.user + ["sleep", "604"])
            let script = try box.write(
                "pause.lua",
                "inject(fault.process.pause { target = target.process { pid = \(paused.pid) } })\nwait '60s'"
            )
            let runner = try box.begin("run", script, asNobody: true)
            for agent in try box.injected(1, by: runner, asNobody: true) { kill(agent, SIGKILL) }
            runner.signal(SIGKILL)
            try runner.ended()
            #expect(Proc.state(of: paused.pid) == "T")
            #expect(try box.moonquake("recover", asNobody: true).code == 0)
            #expect(Proc.state(of: paused.pid) != "T")
        }
    }
}
