// Faults that use something up, in real runs: what is left when everything dies, and what a run says of a worker that
// somebody killed.

import ChaosModel
import Glibc
import TestSupport
import Testing

@Suite(.serialized, .root)
struct LoadTests {
    /// Available bytes of a file system.
    private func available(_ path: String) -> UInt64 {
        var space = statvfs()
        guard statvfs(path, &space) == 0 else { return 0 }
        return UInt64(space.f_bavail) * UInt64(space.f_frsize)
    }

    /// The workers of agents: children of theirs.
    private func workers(of agent: pid_t) -> [pid_t] {
        Proc.pids().filter {
            Proc.parent(of: $0) == agent && Proc.commandLine(of: $0).contains(" worker load")
        }
    }

    /// Our control groups at the roots of the hierarchies, by lease.
    private func groups(of leases: [LeaseID]) -> [String] {
        let roots =
            ["/sys/fs/cgroup"] + File.names(in: "/sys/fs/cgroup").map { "/sys/fs/cgroup/\($0)" }
        return roots.flatMap { root in
            leases.map { "\(root)/moonquake_\($0)" }.filter { access($0, F_OK) == 0 }
        }
    }

    private func script(at disk: String) -> String {
        """
        inject(fault.cpu.stress { target = target.host {}, load = "5%" })
        inject(fault.memory.pressure { target = target.host {}, use = "32MiB" })
        inject(fault.disk.fill { target = target.host {}, path = "\(disk)", size = "16MiB" })
        inject(fault.disk.io {
          target = target.host {}, path = "\(disk)", write = "1MB/s", file_size = "4MiB", direct = false,
        })
        wait "60s"
        """
    }

    @Test
    func `after kill -9 of runner and agent no worker, file or space is left within a second`()
        throws
    {
        try Sandbox.with { box in
            let disk = try box.fileSystem(megabytes: 64)
            let before = available(disk)
            let runner = try box.begin("run", try box.write("loads.lua", script(at: disk)))
            let agent = try box.injected(4, by: runner)[0]
            let leases = box.openJournals().joined().filter { $0.entry == .granted }
                .compactMap(\.lease)
            let workers = workers(of: agent)
            #expect(workers.count == 4 && leases.count == 4)
            #expect(available(disk) <= before - (20 << 20))
            #expect(File.names(in: disk) == [])
            let began = ContinuousClock.now
            kill(agent, SIGKILL)
            runner.signal(SIGKILL)
            let isOver = eventually(within: .seconds(1)) {
                !workers.contains(where: Proc.isAlive) && available(disk) == before
            }
            print(
                "after kill -9 of both all was gone in \(shown((ContinuousClock.now - began).milliseconds))"
            )
            #expect(isOver)
            let recovery = try box.moonquake("recover")
            #expect(recovery.code == 0, "\(recovery.errors)")
            #expect(groups(of: leases) == [])
        }
    }

    @Test
    func `a worker that is killed ends its fault early, and the run is inconclusive`() throws {
        try Sandbox.with { box in
            let script = try box.write(
                "killed.lua",
                """
                experiment "killed" {
                  steady_state = {
                    every = "100ms", warmup = "100ms",
                    metrics = { one = metric.command { run = { "/bin/echo", "1" }, above = 0 } },
                  },
                  run = function()
                    inject(fault.cpu.stress { target = target.host {}, load = "5%" })
                    inject(fault.memory.pressure { target = target.host {}, use = "16MiB" })
                    wait "4s"
                  end,
                }
                """
            )
            let runner = try box.begin("run", script)
            let agent = try box.injected(2, by: runner)[0]
            let victim = try #require(workers(of: agent).first)
            kill(victim, SIGKILL)
            #expect(try runner.ended(within: .seconds(30)) == 7, "\(runner.errors)")
            let report = try box.lastReport()
            let ended = report.faults.compactMap(\.endedEarly)
            #expect(report.verdict == .inconclusive && report.restoration == .restored)
            #expect(ended.count == 1)
            let words = "worker \(victim) was killed by signal 9 (SIGKILL) at 20"
            #expect(ended.first?.seen.hasPrefix(words) == true, "\(ended)")
            #expect(report.reasons.contains { $0.contains("the fault ended early after ") })
            #expect(report.timeline.contains { $0.kind == .warning && $0.text.contains(words) })
            #expect(report.faults.allSatisfy { $0.outcome == .reverted })
            #expect(groups(of: report.faults.map(\.lease)) == [])
        }
    }

    @Test
    func
        `a worker that the kernel kills for its memory is told as that, and the run is inconclusive`()
        throws
    {
        try Sandbox.with { box in
            let sleeper = try box.sleeper()
            let limit = "\(48 << 20)"
            try box.write(
                limit,
                to: "memory.max",
                "memory.limit_in_bytes",
                in: try box.groups(of: sleeper.pid)
            )
            let script = try box.write(
                "full.lua",
                """
                experiment "full" {
                  steady_state = {
                    every = "100ms", warmup = "100ms",
                    metrics = { one = metric.command { run = { "/bin/echo", "1" }, above = 0 } },
                  },
                  run = function()
                    inject(fault.memory.pressure {
                      target = target.process { pid = \(sleeper.pid) }, use = "96MiB", ramp = "1s",
                    })
                    wait "4s"
                  end,
                }
                """
            )
            let run = try box.moonquake("run", script)
            #expect(run.code == 7, "\(run.errors)\(run.output)")
            let report = try box.lastReport()
            let ended = try #require(report.faults.first?.endedEarly)
            let words = "was killed by the kernel, which had no memory left at 20"
            #expect(ended.seen.contains(words), "\(ended)")
            #expect(report.verdict == .inconclusive && report.restoration == .restored)
            #expect(report.timeline.contains { $0.kind == .warning && $0.text.contains(words) })
            #expect(Proc.isAlive(sleeper.pid), "the kernel killed the load, not the target")
        }
    }

    /// The resident memory of a process, in MiB.
    private func residentMiB(_ pid: pid_t) -> Double {
        let line = (File.text("/proc/\(pid)/status") ?? "").split(separator: "\n")
            .first { $0.hasPrefix("VmRSS:") }
        let words = line?.split(whereSeparator: \.isWhitespace) ?? []
        return words.count > 1 ? (Double(words[1]) ?? 0) / 1024 : 0
    }

    @Test
    func `of two loads at once the one that stays keeps its level`() throws {
        try Sandbox.with { box in
            let disk = try box.fileSystem(megabytes: 64)
            let before = available(disk)
            let file = try box.write(
                "two.lua",
                """
                local function both(size)
                  return inject(fault.memory.pressure { target = target.host {}, use = size }),
                    inject(fault.disk.fill { target = target.host {}, path = "\(disk)", size = size })
                end
                local memory, space = both("8MiB")
                both("24MiB")
                rollback(memory)
                rollback(space)
                log("one is left")
                wait "60s"
                """
            )
            let runner = try box.begin("run", file)
            #expect(eventually(within: .seconds(30)) { runner.errors.contains("one is left") })
            let agents = Proc.pids().filter { Proc.parent(of: $0) == runner.pid }
            let left = agents.flatMap(workers)
            #expect(left.count == 2)
            #expect(available(disk) == before - (24 << 20))
            // The worker of a debug build itself is some 30 MiB beside what it holds.
            let held = left.map(residentMiB).max() ?? 0
            #expect((24...72).contains(held), "\(held) MiB")
            runner.signal(SIGINT)
            try runner.ended()
            #expect(available(disk) == before)
        }
    }
}
