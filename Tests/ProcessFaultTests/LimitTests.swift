// cpu.limit and memory.limit on real control groups, v1 and v2.

import ChaosLinux
import ChaosModel
import Foundation
import Glibc
import TestSupport
import Testing

struct LimitTests {
    @Test(.rounds)
    func
        `cpu.limit holds a group to its quota, counts it, and restores the former value to the byte`()
        async throws
    {
        let group = try TestGroup(.cpu)
        let victim = try group.start("while :; do :; done")
        let file = group.group.version == .v1 ? "cpu.cfs_quota_us" : "cpu.max"
        let before = try #require(try group.read(file))
        let trial = try await FaultTrial("cpu.limit", ["quota": "20%"], on: victim.identity)
        #expect(try group.read(file) == before, "a plan only reads")
        #expect(trial.plan.changes[0].contains("(1 process) to 20% of a processor"))
        try await trial.inject()
        let cpu = try Usage.ticks(of: victim.pid)
        let began = ContinuousClock.now
        _ = eventually { ContinuousClock.now - began > .seconds(1.5) }
        let used = try Usage.ticks(of: victim.pid) - cpu
        let share = used / (ContinuousClock.now - began).inSeconds
        let effect = try await trial.effect()
        print("cpu.limit 20%: \(share * 100)% of a processor used; \(effect)")
        #expect(share < 0.3, .ofFigure)
        #expect(effect.hit == true)
        #expect((effect.figures.first { $0.name == "throttled_periods" }?.value ?? 0) >= 5)
        let seen = try await trial.revert()
        #expect(seen.seen.contains("again"))
        #expect(try group.read(file) == before)
        try await trial.revert()
        #expect(try group.read(file) == before)
    }

    @Test
    func `cpu.limit restores a limit of somebody else's, and leaves one that was set meanwhile`()
        async throws
    {
        let group = try TestGroup(.cpu)
        let victim = try group.start("sleep 60")
        let (file, former, later) =
            group.group.version == .v1
            ? ("cpu.cfs_quota_us", "73000\n", "11000\n")
            : ("cpu.max", "73000 120000\n", "11000 120000\n")
        try group.write(former, to: file)
        let trial = try await FaultTrial("cpu.limit", ["quota": "30%"], on: victim.identity)
        try await trial.inject()
        try await trial.revert()
        #expect(try group.read(file) == former)
        await #expect(throws: FaultError.self) {
            _ = try await FaultTrial("cpu.limit", ["quota": "90%"], on: victim.identity)
        }
        let other = try await FaultTrial("cpu.limit", ["quota": "30%"], on: victim.identity)
        try await other.inject()
        try group.write(later, to: file)
        let seen = try await other.revert()
        #expect(seen.seen.contains("somebody else"))
        #expect(try group.read(file) == later)
    }

    @Test
    func `several targets in one group change it once and put it back once, in any order`()
        async throws
    {
        let group = try TestGroup(.cpu)
        let (one, two) = (try group.start("sleep 60"), try group.start("sleep 60"))
        let file = group.group.version == .v1 ? "cpu.cfs_quota_us" : "cpu.max"
        let before = try #require(try group.read(file))
        let first = try await FaultTrial("cpu.limit", ["quota": "20%"], on: one.identity)
        try await first.inject()
        let second = try await FaultTrial("cpu.limit", ["quota": "20%"], on: two.identity)
        try await second.inject()
        try await first.revert()
        #expect(try group.read(file) == before)
        try await second.revert()
        #expect(try group.read(file) == before)
    }

    @Test
    func `memory.limit has the kernel kill what needs more, counts it, and restores the limit`()
        async throws
    {
        let group = try TestGroup(.memory)
        // It doubles a text up to 256 MiB, again and again, in a child that may be killed.
        let victim = try group.start(
            "while :; do (x=0123456789abcdef; while [ ${#x} -lt 200000000 ]; do x=$x$x; done); sleep 0.02; done"
        )
        let file = group.group.version == .v1 ? "memory.limit_in_bytes" : "memory.max"
        let before = try #require(try group.read(file))
        let trial = try await FaultTrial(
            "memory.limit",
            ["limit": "40MiB", "below_use": true],
            on: victim.identity
        )
        try await trial.inject()
        #expect(try group.read(file) == "\(40 << 20)\n")
        var effect = try await trial.effect()
        for _ in 0..<3000 where (effect.figures.first { $0.name == "oom_kills" }?.value ?? 0) == 0 {
            usleep(10_000)
            effect = try await trial.effect()
        }
        print("memory.limit 40MiB: \(effect)")
        #expect((effect.figures.first { $0.name == "oom_kills" }?.value ?? 0) >= 1)
        #expect(effect.hit == true)
        try await trial.revert()
        #expect(try group.read(file) == before)
    }

    @Test
    func `memory.limit below use is refused unless asked for`() async throws {
        let group = try TestGroup(.memory)
        let victim = try group.start(
            "x=0123456789abcdef; while [ ${#x} -lt 30000000 ]; do x=$x$x; done; sleep 60"
        )
        let groups = LinuxControlGroups()
        #expect(try eventually { try groups.memoryInUse(of: group.group) > 20 << 20 })
        let error = await #expect(throws: FaultError.self) {
            _ = try await FaultTrial("memory.limit", ["limit": "8MiB"], on: victim.identity)
        }
        #expect(error?.description.contains("below_use = true") == true)
    }

    @Test(arguments: ["cpu.limit", "memory.limit"])
    func `the root and our own group are refused, with what to do`(_ name: String) async throws {
        let option = name == "cpu.limit" ? "quota" : "limit"
        let value: ParameterValue = name == "cpu.limit" ? "20%" : "64MiB"
        let controller = name == "cpu.limit" ? ControlGroupController.cpu : .memory
        let own = try #require(try LinuxProcesses().snapshot(pid: getpid())).identity
        let error = await #expect(throws: FaultError.self) {
            _ = try await FaultTrial(name, [option: value], on: own)
        }
        let text = error?.description ?? ""
        print("\(name) on our own group: \(text)")
        #expect(
            text.contains("root of its hierarchy") || text.contains("moonquake itself")
                || text.contains("subtree_control") || text.contains("root")
        )
        _ = controller
    }

    @Test
    func `a target that is gone in mid-run is gone, and its group is put back`() async throws {
        let group = try TestGroup(.cpu)
        let victim = try group.start("sleep 60")
        let file = group.group.version == .v1 ? "cpu.cfs_quota_us" : "cpu.max"
        let before = try #require(try group.read(file))
        let trial = try await FaultTrial("cpu.limit", ["quota": "20%"], on: victim.identity)
        try await trial.inject()
        victim.signal(SIGKILL)
        #expect(try await LinuxProcesses().ended(victim.identity, within: .seconds(5)))
        try await trial.revert()
        #expect(try group.read(file) == before)
        let again = try group.start("sleep 60")
        let second = try await FaultTrial("cpu.limit", ["quota": "20%"], on: again.identity)
        try await second.inject()
        try await LinuxControlGroups().remove(group.group)
        let error = await #expect(throws: FaultError.self) { try await second.revert() }
        guard case .targetGone = error else {
            Issue.record("not gone: \(String(describing: error))")
            return
        }
    }
}

enum Usage {
    /// Seconds of processor time that a process has used.
    static func ticks(of pid: Int32) throws -> Double {
        let fields =
            text("/proc/\(pid)/stat").split(separator: ")").last?.split(separator: " ") ?? []
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12])
        else {
            throw KernelError(.gone, "read /proc/\(pid)/stat", "not there")
        }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }
}
