// Whatever dies, the faults end: runner, agent, both at once, a runner that only hangs.

import ChaosModel
import Glibc
import TestSupport
import Testing

@Suite(.serialized, .root)
struct CrashTests {
    @Test(.rounds)
    func `the faults are gone within 200 ms of the runner's kill -9`() throws {
        try Sandbox.with { box in
            let held = try HeldFaults(in: box)
            let gone = held.outlive { held.runner.signal(SIGKILL) }
            print(
                "after kill -9 of the runner: partition gone in \(shown(gone.partition)), process runs in \(shown(gone.pause))"
            )
            #expect(try #require(gone.partition) < 200, .ofFigure)
            #expect(try #require(gone.pause) < 200, .ofFigure)
            #expect(eventually { !Proc.isAlive(held.agent) })
            #expect(try box.hasNoTableOfOurs(held.near))
            #expect(try box.moonquake("recover").output == "")
        }
    }

    @Test(.rounds)
    func
        `after kill -9 of runner and agent the partition is gone within 200 ms and recover does the rest, once`()
        throws
    {
        try Sandbox.with { box in
            let held = try HeldFaults(in: box)
            let gone = held.outlive(.seconds(1)) {
                kill(held.agent, SIGKILL)
                held.runner.signal(SIGKILL)
            }
            print("after kill -9 of runner and agent: partition gone in \(shown(gone.partition))")
            #expect(try #require(gone.partition) < 200, .ofFigure)
            #expect(Proc.state(of: held.sleeper.pid) == "T", "nobody is left to continue it")

            let recovery = try box.moonquake("recover")
            #expect(recovery.code == 0)
            #expect(
                recovery.output.contains("reverted  process.pause on process \(held.sleeper.pid)")
            )
            #expect(Proc.state(of: held.sleeper.pid) != "T")

            let second = try box.moonquake("recover")
            #expect(second.code == 0)
            #expect(second.output == "")
            #expect(second.errors.contains("nothing to recover"))
        }
    }

    @Test
    func `the next run reports and reverts what a crash left, and does not make it again`() throws {
        try Sandbox.with { box in
            let held = try HeldFaults(in: box)
            kill(held.agent, SIGKILL)
            held.runner.signal(SIGKILL)
            try held.runner.ended()
            let script = try box.write("next.lua", "inject(fault.noop { target = target.host {} })")
            let next = try box.moonquake("run", script)
            #expect(next.code == 7, "nothing was judged: \(next.errors)")
            #expect(next.errors.contains("had left process.pause on process \(held.sleeper.pid)"))
            #expect(Proc.state(of: held.sleeper.pid) != "T")
            #expect(try box.lastReport().faults.map(\.name) == ["noop"])
            #expect(try box.hasNoTableOfOurs(held.near))
        }
    }

    @Test(.rounds)
    func `when only the agent dies the run ends and what it held is put back at once`() throws {
        try Sandbox.with { box in
            let held = try HeldFaults(in: box)
            let gone = held.outlive { kill(held.agent, SIGKILL) }
            print(
                "after kill -9 of the agent: partition gone in \(shown(gone.partition)), process runs in \(shown(gone.pause))"
            )
            #expect(try #require(gone.partition) < 200, .ofFigure)
            #expect(try #require(gone.pause) < 3000, .ofFigure)
            #expect(try held.runner.ended() == 7)
            #expect(try box.lastReport().restoration == .restored)
        }
    }

    @Test
    func `the agent reverts when a stopped runner does not renew`() throws {
        try Sandbox.with { box in
            let held = try HeldFaults(in: box)
            let gone = held.outlive { held.runner.signal(SIGSTOP) }
            print(
                "after SIGSTOP of the runner: partition gone in \(shown(gone.partition)), process runs in \(shown(gone.pause))"
            )
            #expect((1500..<4500).contains(try #require(gone.partition)))
            #expect((1500..<4500).contains(try #require(gone.pause)))
            held.runner.signal(SIGCONT)
            #expect(try held.runner.ended() == 7)
            let report = try box.lastReport()
            #expect(report.status == .failed)
            #expect(report.restoration == .restored)
        }
    }
}
