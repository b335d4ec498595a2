// Every way to interrupt a run ends in a rollback that nothing cuts short.

import ChaosModel
import Glibc
import TestSupport
import Testing

@Suite(.serialized, .root)
struct SignalTests {
    @Test(.rounds, arguments: [SIGINT, SIGTERM, SIGHUP, SIGQUIT])
    func `a signal reverts everything and ends with 130`(signal: Int32) throws {
        try Sandbox.with { box in
            let held = try HeldFaults(in: box)
            let gone = held.outlive { held.runner.signal(signal) }
            print(
                "after signal \(signal): partition gone in \(shown(gone.partition)), process runs in \(shown(gone.pause))"
            )
            #expect(try #require(gone.partition) < 1000, .ofFigure)
            #expect(try #require(gone.pause) < 1000, .ofFigure)
            #expect(try held.runner.ended(within: .seconds(5)) == 130)
            let report = try box.lastReport()
            #expect(report.status == .aborted)
            #expect(report.restoration == .restored)
            #expect(report.faults.count == 2)
            #expect(report.faults.allSatisfy { $0.outcome == .reverted })
            #expect(try box.hasNoTableOfOurs(held.near))
            #expect(eventually { !Proc.isAlive(held.agent) })
        }
    }

    @Test(.rounds)
    func `a closed terminal reverts everything`() throws {
        try Sandbox.with { box in
            let terminal = try Terminal()
            let held = try HeldFaults(in: box, terminal: terminal.path)
            let gone = held.outlive { terminal.hangUp() }
            print(
                "after the terminal closed: partition gone in \(shown(gone.partition)), process runs in \(shown(gone.pause))"
            )
            #expect(try #require(gone.partition) < 1000, .ofFigure)
            #expect(try #require(gone.pause) < 1000, .ofFigure)
            #expect(try held.runner.ended(within: .seconds(5)) == 130)
            #expect(try box.lastReport().restoration == .restored)
        }
    }

    @Test
    func `a second SIGINT does not cut the rollback short`() throws {
        try Sandbox.with { box in
            let paused = try box.sleeper()
            // Its rollback waits until somebody has brought the process back, which the test does late.
            let killed = try box.start(["sleep", "601"])
            let script = try box.write(
                "slow.lua",
                """
                inject(fault.process.pause { target = target.process { pid = \(paused.pid) } })
                inject(fault.process.kill {
                  target = target.process { pid = \(killed.pid) }, restart = "supervised", restart_within = "20s",
                })
                wait "60s"
                """
            )
            let runner = try box.begin("run", script)
            try box.injected(2, by: runner)
            for _ in 0..<3 {
                runner.signal(SIGINT)
                usleep(200_000)
            }
            #expect(runner.exitCode == nil, "it must still be rolling back")
            #expect(eventually { runner.errors.contains("left; this cannot be skipped") })
            try box.start(["sleep", "601"])
            #expect(try runner.ended(within: .seconds(30)) == 130)
            #expect(Proc.state(of: paused.pid) != "T")
            #expect(try box.lastReport().restoration == .restored)
        }
    }

    @Test
    func `a signal while the baseline is watched touches nothing`() throws {
        try Sandbox.with { box in
            let sleeper = try box.sleeper()
            let script = try box.write(
                "warm.lua",
                """
                local process = target.process { pid = \(sleeper.pid) }
                experiment "a long warm-up" {
                  steady_state = {
                    warmup = "60s", metrics = { alive = metric.process { target = process, measure = "alive", above = 0 } },
                  },
                  faults = { fault.process.pause { target = process } }, duration = "1s",
                }
                """
            )
            let runner = try box.begin("run", script)
            #expect(eventually { runner.errors.contains("BASELINE_CHECK") })
            runner.signal(SIGINT)
            #expect(try runner.ended(within: .seconds(5)) == 130)
            #expect(try box.lastReport().faults.isEmpty)
        }
    }
}
