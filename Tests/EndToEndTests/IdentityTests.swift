// A process is its pid and its start time: who took the pid over is never touched.

import ChaosModel
import Glibc
import TestSupport
import Testing

@Suite(.serialized, .root)
struct IdentityTests {
    private static let lastPid = "/proc/sys/kernel/ns_last_pid"
    static let canChoosePids = access(lastPid, W_OK) == 0

    @Test(
        .enabled(
            if: canChoosePids,
            "SKIPPED: needs a writable /proc/sys/kernel/ns_last_pid to reuse a pid"
        )
    )
    func `a process that took over the pid of a paused one is not touched`() throws {
        try Sandbox.with { box in
            let paused = try box.sleeper()
            let script = try box.write(
                "pause.lua",
                "inject(fault.process.pause { target = target.process { pid = \(paused.pid) } })\nwait '60s'"
            )
            let runner = try box.begin("run", script)
            let agents = try box.injected(1, by: runner)
            for agent in agents { kill(agent, SIGKILL) }
            runner.signal(SIGKILL)
            try runner.ended()
            paused.signal(SIGKILL)
            try paused.ended()

            let other = try processWithPid(paused.pid, box)
            // Stopped by somebody else: a SIGCONT of ours would show.
            other.signal(SIGSTOP)
            #expect(eventually { Proc.state(of: other.pid) == "T" })
            let recovery = try box.moonquake("recover")
            #expect(recovery.code == 0)
            #expect(recovery.output.contains("gone  process.pause"), "\(recovery.output)")
            #expect(Proc.state(of: other.pid) == "T")
        }
    }

    /// A process with this pid; others on the machine may be faster, so it is tried often.
    private func processWithPid(_ pid: pid_t, _ box: Sandbox) throws -> Program {
        for _ in 0..<200 {
            try File.write("\(pid - 1)", to: Self.lastPid)
            let program = try box.sleeper()
            if program.pid == pid { return program }
            program.end()
        }
        throw SetUpError("pid \(pid) was not given again")
    }

    @Test
    func `a process that is stopped by somebody else is refused and stays stopped`() throws {
        try Sandbox.with { box in
            let sleeper = try box.sleeper()
            sleeper.signal(SIGSTOP)
            #expect(eventually { Proc.state(of: sleeper.pid) == "T" })
            let script = try box.write(
                "pause.lua",
                "inject(fault.process.pause { target = target.process { pid = \(sleeper.pid) } })"
            )
            let run = try box.moonquake("run", script)
            #expect(run.code == 2)
            #expect((run.errors + run.output).contains("stopped already, by somebody else"))
            #expect(Proc.state(of: sleeper.pid) == "T")
        }
    }

    @Test
    func `a target that ends while it is paused is no leak`() throws {
        try Sandbox.with { box in
            let sleeper = try box.sleeper()
            let script = try box.write(
                "pause.lua",
                "inject(fault.process.pause { target = target.process { pid = \(sleeper.pid) } })\nwait '60s'"
            )
            let runner = try box.begin("run", script)
            try box.injected(1, by: runner)
            sleeper.signal(SIGKILL)
            try sleeper.ended()
            runner.signal(SIGINT)
            #expect(try runner.ended() == 130)
            #expect(try box.lastReport().faults.map(\.outcome) == [.gone])
        }
    }

    @Test
    func `a process with a long name is found by its name`() throws {
        try Sandbox.with { box in
            let name = "averyveryverylongprocessname"
            let program = try box.start(["bash", "-c", "exec -a \(name) sleep 600"])
            #expect(eventually { Proc.commandLine(of: program.pid).hasPrefix(name) })
            let script = try box.write(
                "long.lua",
                "inject(fault.process.pause { target = target.process { name = \"\(name)\" } })"
            )
            #expect(try box.moonquake("run", script).code == 7)
            let report = try box.lastReport()
            #expect(report.faults.map(\.outcome) == [.reverted])
            #expect(Proc.state(of: program.pid) != "T")
        }
    }
}
