// What the kernel holds ends with runner and agent: a traced process goes on, taken places are free, a shifted clock is
// true. And a worker that is killed is told in the report.

import ChaosModel
import Glibc
import TestSupport
import Testing

@Suite(.serialized, .root)
struct KernelHeldTests {
    /// A service with a clock and a group of its own, and a process to pause.
    private struct Services {
        let clock: Program
        let file: String
        let group: String
        let grouped: Program
        let sleeper: Program

        init(in box: Sandbox) throws {
            file = box.folder + "/clock"
            clock = try box.start([
                Moonquake.path, "wrap", "--", "/bin/bash", "-c",
                "while :; do printf '%(%s)T' -1 >\(file).new; mv \(file).new \(file); sleep 0.01; done",
            ])
            sleeper = try box.sleeper()
            grouped = try box.sleeper()
            let root = access("/sys/fs/cgroup/pids/cgroup.procs", F_OK) == 0 ? "/pids" : ""
            group = "/sys/fs/cgroup\(root)/mqe-\(UInt32.random(in: .min ... .max))"
            guard mkdir(group, 0o755) == 0 else { throw SetUpError("no control group \(group)") }
            try File.write("80", to: group + "/pids.max")
            try File.write("\(grouped.pid)", to: group + "/cgroup.procs")
        }

        var offset: Int { (Int(File.text(file) ?? "") ?? 0) - Int(time(nil)) }
        var tasks: Int {
            Int((File.text(group + "/pids.current") ?? "").prefix { $0.isNumber }) ?? -1
        }
        var isPaused: Bool { Proc.state(of: sleeper.pid) == "t" }
        var inner: [String] { File.names(in: group).filter { $0.hasPrefix("moonquake_") } }

        func remove() {
            kill(grouped.pid, SIGKILL)
            for name in inner { rmdir("\(group)/\(name)") }
            _ = eventually { rmdir(group) == 0 }
        }
    }

    private func script(_ services: Services) -> String {
        """
        inject(fault.process.pause { target = target.process { pid = \(services.sleeper.pid) }, method = "ptrace" })
        inject(fault.clock.skew { target = target.process { pid = \(services.clock.pid) }, offset = "1d" })
        inject(fault.pid.exhaust { target = target.process { pid = \(services.grouped.pid) } })
        wait "60s"
        """
    }

    @Test(.rounds)
    func
        `nothing is held a second after kill -9 of runner and agent, and recover removes the rest`()
        throws
    {
        try Sandbox.with { box in
            let services = try Services(in: box)
            defer { services.remove() }
            #expect(eventually { abs(services.offset) <= 2 })
            let runner = try box.begin("run", try box.write("hold.lua", script(services)))
            let agent = try box.injected(3, by: runner)[0]
            #expect(services.isPaused)
            #expect(eventually { abs(services.offset - 86400) <= 2 }, "\(services.offset)")
            #expect(services.tasks == 80)
            kill(agent, SIGKILL)
            runner.signal(SIGKILL)
            let began = ContinuousClock.now
            let isOver = eventually(within: .seconds(5)) {
                !services.isPaused && services.tasks == 1 && abs(services.offset) <= 2
            }
            let took = (ContinuousClock.now - began).milliseconds
            print(
                "after kill -9 of runner and agent: traced, places and clock back in \(shown(took))"
            )
            #expect(isOver)
            #expect(took < 1000, .ofFigure)
            let recovery = try box.moonquake("recover")
            #expect(recovery.code == 0, "\(recovery.errors)\(recovery.output)")
            #expect(services.inner.isEmpty)
            #expect(try box.moonquake("recover").errors.contains("nothing to recover"))
        }
    }

    @Test
    func `a worker that is killed ends its fault early, which the report says`() throws {
        try Sandbox.with { box in
            let services = try Services(in: box)
            defer { services.remove() }
            let text = """
                inject(fault.pid.exhaust { target = target.process { pid = \(services.grouped.pid) } })
                wait "3s"
                """
            let runner = try box.begin("run", try box.write("early.lua", text))
            try box.injected(1, by: runner)
            let procs = File.text(
                "\(services.group)/\(try #require(services.inner.first))/cgroup.procs"
            )
            kill(try #require(Int32((procs ?? "").prefix { $0.isNumber })), SIGKILL)
            #expect(eventually { services.tasks == 1 })
            #expect(try runner.ended() == 7)
            let report = try box.lastReport()
            #expect(report.verdict == .inconclusive)
            #expect(report.restoration == .restored)
            #expect(runner.errors.contains("was ended by somebody else"), "\(runner.errors)")
            #expect(services.inner.isEmpty)
        }
    }
}
